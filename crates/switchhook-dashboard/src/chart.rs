//! Line charts as SVG, made on the server: colours and widths are the style sheet's, so that both themes fit.

use std::fmt::Write;

use switchhook_domain::Timestamp;

use super::widgets::span;

/// A line of a chart.
pub(super) struct Line<'a> {
    /// Chooses its colour: `a`, `b` or `c`.
    pub(super) class: &'static str,
    /// Label in the legend.
    pub(super) name: &'static str,
    /// A value for each place, oldest first; where there is none the line has a gap.
    pub(super) values: &'a [Option<f64>],
}

/// Mapping of values to heights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero to the largest.
    Linear,
    /// Logarithmic, with powers of ten as ticks.
    Logarithmic,
}

/// Of so few values none is unusual.
const FEW: usize = 20;

/// Factor over the 95th percentile of the values above which a peak is cut.
pub const MUCH: f64 = 3.0;

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 168.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 22.0;

/// Axes of a chart.
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    /// Start of each point, oldest first.
    pub(super) times: &'a [Timestamp],
    /// Time at the right edge.
    pub(super) now: Timestamp,
    pub(super) scale: Scale,
    /// Writes a height for people.
    pub(super) label: fn(f64) -> String,
    /// A time to be pointed out, and what began then.
    pub(super) mark: Option<(Timestamp, &'static str)>,
}

/// A chart. Each of its places says what it shows: on hover, and with the script also to the arrow keys.
pub(super) fn chart(axes: &Axes<'_>, lines: &[Line<'_>]) -> String {
    let scale = axes.scale;
    let ticks = ticks(lines, scale);
    let mut svg = format!(
        r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0" aria-label="{}">"#,
        described(axes, lines)
    );
    draw_grid(&mut svg, &ticks, axes);
    for line in lines {
        if scale == Scale::Linear && !line.values.is_empty() && line.values.iter().all(Option::is_some) {
            let floor = HEIGHT - BOTTOM;
            let right = WIDTH - RIGHT;
            let top = path(line.values, &ticks, scale);
            let _ = write!(
                svg,
                r#"<path class="area {}" d="{top}L{right} {floor}L{LEFT} {floor}Z"/>"#,
                line.class
            );
        }
        let _ = write!(
            svg,
            r#"<path class="line {}" d="{}"/>"#,
            line.class,
            path(line.values, &ticks, scale)
        );
    }
    draw_cuts(&mut svg, &ticks, axes, lines);
    draw_mark(&mut svg, axes);
    draw_places(&mut svg, axes, lines);
    svg + "</svg>"
}

fn draw_grid(svg: &mut String, ticks: &[f64], axes: &Axes<'_>) {
    let (text_x, right) = (LEFT - 8.0, WIDTH - RIGHT);
    for tick in ticks {
        let y = height(*tick, ticks, axes.scale);
        let text_y = y + 4.0;
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/><text x="{text_x}" y="{text_y:.1}" text-anchor="end">{}</text>"#,
            (axes.label)(*tick)
        );
    }
    let Some(first) = axes.times.first() else { return };
    let whole = axes.now.since(*first);
    let base = HEIGHT - 6.0;
    for (thirds, anchor) in [(0, "start"), (1, "middle"), (2, "middle"), (3, "end")] {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * f64::from(thirds) / 3.0;
        let text = match thirds {
            3 => "now".to_owned(),
            thirds => format!("{} ago", span(whole * (3 - thirds) / 3)),
        };
        let _ = write!(
            svg,
            r#"<text x="{x:.1}" y="{base}" text-anchor="{anchor}">{text}</text>"#
        );
    }
}

/// Marks what is higher than the chart, and says how high the highest is.
fn draw_cuts(svg: &mut String, ticks: &[f64], axes: &Axes<'_>, lines: &[Line<'_>]) {
    let top = ticks[ticks.len() - 1];
    let mut highest: Option<(f64, f64)> = None;
    for line in lines {
        let cut = line.values.iter().enumerate();
        let cut =
            cut.filter_map(|(place, value)| value.filter(|value| *value > top).map(|value| (place, value)));
        for (place, value) in cut {
            let x = x_of(place, line.values.len());
            let (left, right, foot) = (x - 4.0, x + 4.0, TOP + 6.0);
            let _ = write!(
                svg,
                r#"<path class="cut {}" d="M{left:.1} {foot}L{x:.1} {TOP}L{right:.1} {foot}Z"/>"#,
                line.class
            );
            if highest.is_none_or(|(_, so_far)| value > so_far) {
                highest = Some((x, value));
            }
        }
    }
    let Some((x, value)) = highest else { return };
    let (x, anchor) = if x > WIDTH / 2.0 {
        (x - 7.0, "end")
    } else {
        (x + 7.0, "start")
    };
    let y = TOP + 7.0;
    let _ = write!(
        svg,
        r#"<text class="cut" x="{x:.1}" y="{y}" text-anchor="{anchor}">up to {}</text>"#,
        (axes.label)(value)
    );
}

fn draw_mark(svg: &mut String, axes: &Axes<'_>) {
    let Some((at, what)) = axes.mark else { return };
    let Some(place) = axes.times.iter().position(|time| *time == at) else {
        return;
    };
    let x = x_of(place, axes.times.len());
    let foot = HEIGHT - BOTTOM;
    let (text_x, anchor) = if x > WIDTH / 2.0 {
        (x - 4.0, "end")
    } else {
        (x + 4.0, "start")
    };
    let text_y = foot - 5.0;
    let _ = write!(
        svg,
        r#"<line class="mark" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{foot}"/><text class="mark" x="{text_x:.1}" y="{text_y}" text-anchor="{anchor}">{what}</text>"#
    );
}

fn draw_places(svg: &mut String, axes: &Axes<'_>, lines: &[Line<'_>]) {
    let len = axes.times.len();
    let width = (WIDTH - LEFT - RIGHT) / (len.max(2) - 1) as f64;
    let height = HEIGHT - TOP - BOTTOM;
    for (place, at) in axes.times.iter().enumerate() {
        let values = lines.iter().filter_map(|line| {
            let value = line.values.get(place).copied().flatten()?;
            Some(format!("{} {}", line.name, (axes.label)(value)))
        });
        let values: Vec<_> = values.collect();
        let values = if values.is_empty() {
            "nothing".to_owned()
        } else {
            values.join("&#10;")
        };
        let x = x_of(place, len) - width / 2.0;
        let at = at.to_string();
        let minute = at.get(..16).unwrap_or(&at).replacen('T', " ", 1);
        let _ = write!(
            svg,
            r#"<rect class="place" x="{x:.1}" y="{TOP}" width="{width:.1}" height="{height}" data-at="{at}"><title>{minute} UTC&#10;{values}</title></rect>"#
        );
    }
}

/// The same in words, for those who do not see it.
fn described(axes: &Axes<'_>, lines: &[Line<'_>]) -> String {
    let last = lines.iter().map(|line| {
        let last = line.values.iter().rev().find_map(|value| *value);
        format!(
            "{} {}",
            line.name,
            last.map_or_else(|| "none".to_owned(), axes.label)
        )
    });
    let whole = axes.times.first().map(|first| axes.now.since(*first));
    let whole = whole.map_or_else(String::new, |whole| format!(", last {}", span(whole)));
    format!(
        "{}{whole}. Latest: {}.",
        axes.title,
        last.collect::<Vec<_>>().join(", ")
    )
}

fn values<'a>(lines: &'a [Line<'_>]) -> impl Iterator<Item = f64> + 'a {
    lines
        .iter()
        .flat_map(|line| line.values.iter().copied().flatten())
}

/// Values of the grid lines, lowest first; at least two.
fn ticks(lines: &[Line<'_>], scale: Scale) -> Vec<f64> {
    let largest = values(lines).fold(0.0, f64::max);
    match scale {
        Scale::Linear => {
            let step = round_up(largest.min(usual(lines)) / 4.0);
            (0..=4).map(|number| step * f64::from(number)).collect()
        }
        Scale::Logarithmic => {
            let smallest = values(lines).fold(f64::INFINITY, f64::min).clamp(0.1, 1.0);
            let first = smallest.log10().floor() as i32;
            let last = (largest.max(100.0).log10().ceil() as i32).max(first + 1);
            (first..=last).map(|power| 10_f64.powi(power)).collect()
        }
    }
}

/// Top of the axis: a value that hardly any other exceeds by much. Higher ones are cut, so that one peak does not
/// flatten the rest.
fn usual(lines: &[Line<'_>]) -> f64 {
    let mut values: Vec<_> = values(lines).filter(|value| *value > 0.0).collect();
    values.sort_by(f64::total_cmp);
    let high = values.get(values.len() * 95 / 100).copied().unwrap_or(0.0);
    if values.len() < FEW {
        f64::INFINITY
    } else {
        high * MUCH
    }
}

/// The next 1, 2 or 5 with noughts; at least a quarter.
fn round_up(value: f64) -> f64 {
    let value = value.max(0.25);
    let power = 10_f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .find(|digit| digit * power >= value);
    digit.unwrap_or(10.0) * power
}

fn height(value: f64, ticks: &[f64], scale: Scale) -> f64 {
    let (lowest, highest) = (ticks[0], ticks[ticks.len() - 1]);
    let share = match scale {
        Scale::Linear => (value - lowest) / (highest - lowest),
        Scale::Logarithmic => (value.max(lowest) / lowest).ln() / (highest / lowest).ln(),
    };
    HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
}

fn x_of(place: usize, len: usize) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * place as f64 / (len.max(2) - 1) as f64
}

fn path(values: &[Option<f64>], ticks: &[f64], scale: Scale) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for (place, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let x = x_of(place, values.len());
        let y = height(*value, ticks, scale);
        let command = if is_drawing { 'L' } else { 'M' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
        // A value between two gaps would be a line without a length.
        if !is_drawing && values.get(place + 1).copied().flatten().is_none() {
            let _ = write!(path, "h0.1");
        }
        is_drawing = true;
    }
    path
}

/// A rate for people.
pub(super) fn rate(value: f64) -> String {
    if value >= 10.0 || value == 0.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn drawn(values: &[Option<f64>], scale: Scale) -> String {
        let line = Line {
            class: "a",
            name: "accepted",
            values,
        };
        let minutes = (0..values.len()).rev();
        let times: Vec<_> = minutes
            .map(|ago| NOW.minus(Duration::from_secs(60 * (ago as u64 + 1))))
            .collect();
        let axes = Axes {
            title: "Rate",
            times: &times,
            now: NOW,
            scale,
            label: rate,
            mark: times.last().map(|last| (*last, "failing")),
        };
        chart(&axes, &[line])
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let svg = drawn(&[Some(1.0), Some(12.0)], Scale::Linear);
        assert!(svg.contains("Rate, last 2 min. Latest: accepted 12."), "{svg}");
        assert!(
            svg.contains("<title>2026-11-23 07:59 UTC&#10;accepted 12</title>"),
            "{svg}"
        );
        assert!(
            svg.contains(r#"class="mark""#) && svg.contains("2 min ago"),
            "{svg}"
        );
    }

    #[test]
    fn silence_zero_and_single_values_are_drawn_without_nonsense() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            for values in [&[][..], &[None, None], &[Some(0.0)], &[None, Some(1e12), None]] {
                let svg = drawn(values, scale);
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn a_gap_in_the_values_is_a_gap_in_the_line() {
        let svg = drawn(&[Some(1.0), Some(1.0), None, Some(1.0), Some(1.0)], Scale::Linear);
        let path = svg
            .split(r#"class="line a" d=""#)
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let path = path.expect("there is a line");
        assert_eq!(path.matches('M').count(), 2, "{path}");
    }

    #[test]
    fn one_peak_does_not_flatten_the_rest_and_is_marked() {
        let mut values = vec![Some(10.0); 60];
        values[40] = Some(5_000.0);
        let svg = drawn(&values, Scale::Linear);
        assert!(
            svg.contains(">40</text>") && !svg.contains(">5000</text>"),
            "{svg}"
        );
        assert!(svg.contains("up to 5000</text>"), "{svg}");
        // A plateau is no peak.
        values[20..40].fill(Some(5_000.0));
        assert!(!drawn(&values, Scale::Linear).contains("up to"));
    }
}

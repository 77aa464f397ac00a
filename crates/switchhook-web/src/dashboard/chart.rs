//! Line charts as SVG, made on the server: colours and widths are the style sheet's, so that both themes fit.

use std::fmt::Write;

/// A line of a chart.
pub(super) struct Line<'a> {
    /// Chooses its colour: `a`, `b` or `c`.
    pub(super) class: &'static str,
    /// What it shows.
    pub(super) name: &'static str,
    /// A value for each place, oldest first; where there is none the line has a gap.
    pub(super) values: &'a [Option<f64>],
}

/// How values become heights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero to the largest.
    Linear,
    /// Powers of ten.
    Logarithmic,
}

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 168.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 22.0;

/// A chart of the last quarter of an hour.
pub(super) fn chart(title: &str, lines: &[Line<'_>], scale: Scale, label: fn(f64) -> String) -> String {
    let ticks = ticks(lines, scale);
    let mut svg = format!(
        r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        described(title, lines, label)
    );
    for tick in &ticks {
        let y = height(*tick, &ticks, scale);
        let text_y = y + 4.0;
        let text_x = LEFT - 8.0;
        let right = WIDTH - RIGHT;
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/><text x="{text_x}" y="{text_y:.1}" text-anchor="end">{}</text>"#,
            label(*tick)
        );
    }
    let base = HEIGHT - 6.0;
    for (minutes, anchor) in [(15, "start"), (10, "middle"), (5, "middle"), (0, "end")] {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * f64::from(15 - minutes) / 15.0;
        let text = match minutes {
            0 => "now".to_owned(),
            minutes => format!("{minutes} min ago"),
        };
        let _ = write!(
            svg,
            r#"<text x="{x:.1}" y="{base}" text-anchor="{anchor}">{text}</text>"#
        );
    }
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
    svg + "</svg>"
}

/// The same in words, for those who do not see it.
fn described(title: &str, lines: &[Line<'_>], label: fn(f64) -> String) -> String {
    let last = lines.iter().map(|line| {
        let last = line.values.iter().rev().find_map(|value| *value);
        format!("{} {}", line.name, last.map_or_else(|| "none".to_owned(), label))
    });
    format!(
        "{title}, last 15 minutes. Latest: {}.",
        last.collect::<Vec<_>>().join(", ")
    )
}

fn values<'a>(lines: &'a [Line<'_>]) -> impl Iterator<Item = f64> + 'a {
    lines
        .iter()
        .flat_map(|line| line.values.iter().copied().flatten())
}

/// Where the lines of the grid are, lowest first; at least two.
fn ticks(lines: &[Line<'_>], scale: Scale) -> Vec<f64> {
    let largest = values(lines).fold(0.0, f64::max);
    match scale {
        Scale::Linear => {
            let step = round_up(largest / 4.0);
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

fn path(values: &[Option<f64>], ticks: &[f64], scale: Scale) -> String {
    let step = (WIDTH - LEFT - RIGHT) / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    let mut is_drawing = false;
    for (place, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let x = LEFT + step * place as f64;
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
    use super::*;

    fn drawn(values: &[Option<f64>], scale: Scale) -> String {
        let line = Line {
            class: "a",
            name: "accepted",
            values,
        };
        chart("Rate", &[line], scale, rate)
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let svg = drawn(&[Some(1.0), Some(12.0)], Scale::Linear);
        assert!(
            svg.contains("Rate, last 15 minutes. Latest: accepted 12."),
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
        let path = svg.split("d=\"").last().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
    }
}

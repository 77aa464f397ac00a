//! A curl command, as browsers and request bins copy it: split as a shell would, then the few options that matter.

use super::capture::{Capture, CaptureFormat, header_line};

/// Options whose value does not change the request.
const IGNORED_OPTIONS: [&str; 12] = [
    "-o",
    "--output",
    "-u",
    "--user",
    "-m",
    "--max-time",
    "-w",
    "--write-out",
    "-x",
    "--proxy",
    "--connect-timeout",
    "--retry",
];

/// Reads a command; `None` if it is not a curl command.
pub(super) fn read(input: &[u8]) -> Option<Capture> {
    let text = std::str::from_utf8(input).ok()?.trim();
    let command = text.strip_prefix("$ ").unwrap_or(text);
    if !command.starts_with("curl ") {
        return None;
    }
    let mut capture = Capture {
        format: CaptureFormat::Curl,
        ..Capture::of_body(b"")
    };
    let mut has_body = false;
    let mut words = split(command).into_iter().skip(1);
    while let Some(word) = words.next() {
        let (option, joined) = option_and_value(&word);
        let mut value = || {
            joined
                .map(str::to_owned)
                .or_else(|| words.next())
                .unwrap_or_default()
        };
        match option {
            "-X" | "--request" => capture.method = Some(value()),
            "-H" | "--header" => capture.headers.extend(header_line(&value())),
            "-A" | "--user-agent" => capture.headers.push(("user-agent".to_owned(), value())),
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii" | "--json" => {
                if has_body {
                    capture.body.push(b'&');
                }
                capture.body.extend_from_slice(value().as_bytes());
                has_body = true;
            }
            "--url" => capture.target = Some(value()),
            _ if IGNORED_OPTIONS.contains(&option) => drop(value()),
            _ if option.starts_with('-') => {}
            _ => capture.target = Some(word),
        }
    }
    let default = if has_body { "POST" } else { "GET" };
    capture.method.get_or_insert_with(|| default.to_owned());
    Some(capture)
}

/// `--name=value` and `-Xvalue` are an option and its value in one word.
fn option_and_value(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word
            .split_once('=')
            .map_or((word, None), |(option, value)| (option, Some(value)));
    }
    let takes_value = ["-X", "-H", "-A", "-d"];
    let option = takes_value
        .into_iter()
        .find(|option| word.len() > 2 && word.starts_with(option));
    option.map_or((word, None), |option| (option, Some(&word[2..])))
}

/// Splits as a shell would: three kinds of quotes, backslashes, continued lines.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                let quoted: String = rest.by_ref().take_while(|c| *c != '\'').collect();
                word.get_or_insert_default().push_str(&quoted);
            }
            '$' if rest.peek() == Some(&'\'') => {
                rest.next();
                word.get_or_insert_default()
                    .push_str(&escaped(&mut rest, '\'', true));
            }
            '"' => word
                .get_or_insert_default()
                .push_str(&escaped(&mut rest, '"', false)),
            '\\' => match rest.next() {
                None | Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
            },
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Reads up to the closing quote. In `$'…'` backslashes make control characters too.
fn escaped(rest: &mut impl Iterator<Item = char>, quote: char, makes_controls: bool) -> String {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        if c == quote {
            break;
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        match rest.next() {
            Some('n') if makes_controls => text.push('\n'),
            Some('r') if makes_controls => text.push('\r'),
            Some('t') if makes_controls => text.push('\t'),
            Some(c) if makes_controls || matches!(c, '"' | '\\' | '$' | '`') => text.push(c),
            Some('\n') => {}
            Some(c) => text.extend(['\\', c]),
            None => {}
        }
    }
    text
}

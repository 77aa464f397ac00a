//! Help of commands: without the values of booleans, and with a text below: examples, which keep their lines, and
//! paragraphs, which are wrapped to the terminal rather than as in the source.

/// Lays out the help of a command and of its subcommands.
pub(super) fn laid_out(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(laid_out).mut_args(|option| {
        let is_boolean = option.get_value_names().is_some_and(|names| names == ["BOOL"]);
        match is_boolean {
            true => option.hide_possible_values(true),
            false => option,
        }
    });
    match command.get_after_help().map(ToString::to_string) {
        Some(text) => command.after_help(paragraphs(&text)),
        None => command,
    }
}

/// Joins lines unless one of them is indented or empty.
fn paragraphs(text: &str) -> String {
    let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
    let mut lines = text.split('\n');
    let mut before = lines.next().unwrap_or_default();
    let mut joined = before.to_owned();
    for line in lines {
        joined.push(if is_prose(before) && is_prose(line) {
            ' '
        } else {
            '\n'
        });
        joined.push_str(line);
        before = line;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_one_line_each_and_examples_keep_theirs() {
        let text = "Examples:\n  one\n  two\n\nThe first\nparagraph:\ngoes on.\n\nThe second.";
        let expected = "Examples:\n  one\n  two\n\nThe first paragraph: goes on.\n\nThe second.";
        assert_eq!(paragraphs(text), expected);
    }

    #[test]
    fn the_commands_below_have_paragraphs_too() {
        let inner = clap::Command::new("inner").after_help("one\ntwo");
        let command = laid_out(clap::Command::new("outer").subcommand(inner));
        let inner = command
            .find_subcommand("inner")
            .and_then(clap::Command::get_after_help);
        assert_eq!(inner.map(ToString::to_string).as_deref(), Some("one two"));
    }
}

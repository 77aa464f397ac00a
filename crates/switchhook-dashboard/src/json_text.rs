//! JSON as it came, laid out for people as HTML: every number and string stays as it was written, but for what is masked.

use std::fmt::Write;

use switchhook_node::json_text::{CUT, Contents, Token, Tokens, head};
use switchhook_node::mask::Mask;

/// About how much HTML a text becomes at the most: what is laid out is many times what came.
const MOST_HTML: usize = 512 * 1024;

/// The deepest nesting that is indented further.
const DEEPEST: usize = 24;

/// A JSON text as lines of HTML with its parts told apart; escaped.
pub(super) fn pretty(text: &str, mask: Mask) -> String {
    let mut out = Layout {
        html: String::new(),
        depth: 0,
        contents: Contents::default(),
        mask,
    };
    let head = head(text);
    let is_whole = out.walk(head) && head.len() == text.len();
    if !is_whole {
        out.html.push_str(CUT);
    }
    out.html
}

struct Layout {
    html: String,
    depth: usize,
    contents: Contents,
    mask: Mask,
}

impl Layout {
    /// True if the whole text was laid out.
    fn walk(&mut self, text: &str) -> bool {
        let mut tokens = Tokens::new(text)
            .filter(|token| !matches!(token, Token::Space(_)))
            .peekable();
        while let Some(token) = tokens.next() {
            if self.html.len() > MOST_HTML {
                return false;
            }
            self.contents.note(&token);
            let masked = self.contents.masked(&token, self.mask);
            match token {
                Token::Mark(open @ ('{' | '[')) => {
                    self.html.push(open);
                    match tokens.peek() {
                        Some(Token::Mark('}' | ']')) => {}
                        _ => {
                            self.depth += 1;
                            self.new_line();
                            continue;
                        }
                    }
                    if let Some(close) = tokens.next() {
                        self.contents.note(&close);
                        if let Token::Mark(close) = close {
                            self.html.push(close);
                        }
                    }
                }
                Token::Mark(close @ ('}' | ']')) => {
                    self.depth = self.depth.saturating_sub(1);
                    self.new_line();
                    self.html.push(close);
                }
                Token::Mark(',') => {
                    self.html.push(',');
                    self.new_line();
                }
                Token::Mark(':') => self.html.push_str(": "),
                Token::Mark(other) => escape(&mut self.html, other.encode_utf8(&mut [0; 4])),
                Token::String { text, is_key: true } => self.value("k", text, masked),
                Token::String { text, .. } => self.value("s", text, masked),
                Token::Word(word) => self.value("n", word, masked),
                Token::Space(_) => {}
            }
        }
        true
    }

    fn new_line(&mut self) {
        self.html.push('\n');
        for _ in 0..self.depth.min(DEEPEST) {
            self.html.push_str("  ");
        }
    }

    fn value(&mut self, class: &str, text: &str, masked: Option<String>) {
        match masked {
            Some(masked) => self.part("m", &masked),
            None => self.part(class, text),
        }
    }

    fn part(&mut self, class: &str, text: &str) {
        let _ = write!(self.html, r#"<span class="{class}">"#);
        escape(&mut self.html, text);
        self.html.push_str("</span>");
    }
}

/// Appends text, escaped for HTML.
pub(super) fn escape(html: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            letter => html.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use switchhook_node::json_text::{MOST_BYTES, raw, raw_head};

    use super::*;

    const BOTH: Mask = Mask {
        numbers: true,
        text: true,
    };

    fn without_tags(html: &str) -> String {
        let mut text = String::new();
        let mut is_tag = false;
        for letter in html.chars() {
            match letter {
                '<' => is_tag = true,
                '>' => is_tag = false,
                letter if !is_tag => text.push(letter),
                _ => {}
            }
        }
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    }

    #[test]
    fn numbers_escapes_and_repeated_keys_stay_as_they_were_written() {
        let text = r#"{"a":1e400,"a":9223372036854775807,"b":"\u00e9<b>","c":[],"d":[1,{"e":null}]}"#;
        let shown = without_tags(&pretty(text, Mask::NOTHING));
        assert_eq!(
            shown,
            "{\n  \"a\": 1e400,\n  \"a\": 9223372036854775807,\n  \"b\": \"\\u00e9<b>\",\n  \"c\": [],\n  \"d\": [\n    1,\n    {\n      \"e\": null\n    }\n  ]\n}"
        );
    }

    #[test]
    fn what_is_masked_is_nowhere_in_either_form() {
        let text = r#"{"text":"hi there","to_number":["+12025550101"],"contact":{"phone":"+12025550102","name":"Ann"}}"#;
        for shown in [without_tags(&pretty(text, BOTH)), raw(text, BOTH).into_owned()] {
            assert!(!shown.contains("hi there") && !shown.contains("555"), "{shown}");
            assert!(shown.contains("Ann"), "{shown}");
        }
        assert_eq!(raw(text, Mask::NOTHING), text);
    }

    #[test]
    fn what_is_cut_or_cannot_be_decoded_is_masked_all_the_same() {
        let long = format!(r#"{{"text":"my secret {}"}}"#, "x".repeat(MOST_BYTES));
        let half = r#"{"text":"my secret \ud83d","phone":12025550101}"#;
        for text in [&long, half] {
            for shown in [without_tags(&pretty(text, BOTH)), raw_head(text, BOTH)] {
                assert!(!shown.contains("secret") && !shown.contains("555"), "{shown}");
            }
        }
    }

    #[test]
    fn numbers_are_masked_wherever_they_stand_and_ids_are_not() {
        let text = r#"{"call_id":6412345678901248,"event_timestamp":1795624039404,"contact":{"name":"(202) 555-0101"},"caller":2025550101,"again":12025550101.0,"talk_time":8951.029999999999,"notes":["ring 202-555-0101"],"by_number":{"+12025550101":1},"nested":"{\"who\":\"(202) 555-0101\"}","contact_id":"2025550101"}"#;
        for shown in [without_tags(&pretty(text, BOTH)), raw(text, BOTH).into_owned()] {
            let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
            let without = |key: &str| {
                let mut rest = shown.clone();
                rest.as_object_mut().unwrap().remove(key);
                rest.to_string()
            };
            assert!(!without("contact_id").contains("555"), "{shown}");
            assert_eq!(shown["call_id"], 6_412_345_678_901_248_u64);
            assert_eq!(shown["event_timestamp"], 1_795_624_039_404_u64);
            assert_eq!(shown["talk_time"], 8_951.029_999_999_999);
            assert_eq!(shown["contact_id"], "2025550101");
        }
    }

    #[test]
    fn an_echo_that_is_no_json_is_masked_too() {
        let numbers = "numbers".parse().unwrap();
        for echo in [
            "got +12025550101",
            "From=%2B12025550101&To=1",
            "<p>(202) 555-0101</p>",
            "[info] 202-555-0101",
        ] {
            let shown = raw(echo, numbers);
            assert!(!shown.contains("555"), "{shown}");
            assert_eq!(raw(echo, BOTH), "•••");
        }
        let cut = r#"{"from_number":"+12025550101","ok":tr"#;
        assert_eq!(raw(cut, BOTH), r#"{"from_number":"+•••••••••01","ok":tr"#);
    }

    #[test]
    fn json_without_any_key_is_masked_and_stays_json() {
        for text in [
            r#""ring +12025550101""#,
            "12025550101",
            r#"["hi 202-555-0101", [12025550101], {"name": "(202) 555-0101"}, "there"]"#,
            r#""half \ud83d of 202-555-0101""#,
        ] {
            for shown in [without_tags(&pretty(text, BOTH)), raw(text, BOTH).into_owned()] {
                assert!(!shown.contains("555") && !shown.contains("hi"), "{shown}");
                let shown: Result<serde_json::Value, _> = serde_json::from_str(&shown);
                assert!(shown.is_ok(), "{text}");
            }
        }
        for text in ["null", "1e400", "true"] {
            assert_eq!(raw(text, BOTH), text);
        }
    }

    #[test]
    fn a_mask_counts_at_any_depth_and_costs_a_byte_a_level() {
        let key = "k".repeat(1 << 20);
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        let text = format!(
            r#"{{"phone":{open}"2025550101"{close},"{key}":{open}"Ann"{close},"phone":"2025550102"}}"#
        );
        let shown = raw(&text, BOTH);
        assert!(!shown.contains("555") && shown.contains("Ann"));
        assert!(pretty(&text, BOTH).len() < 2 * MOST_HTML);
    }

    #[test]
    fn what_is_shown_is_bounded_whatever_came() {
        let piece = |piece: &str| piece.repeat((1 << 20) / piece.len());
        for text in [
            piece("["),
            piece("1,"),
            piece("{\"\":"),
            piece("\u{1}<"),
            piece("\"\\\"&"),
        ] {
            for mask in [Mask::NOTHING, BOTH] {
                // A character becomes at most six, and digits become dots of three bytes.
                assert!(pretty(&text, mask).len() <= 6 * MOST_BYTES + MOST_HTML);
                assert!(raw_head(&text, mask).len() <= 3 * MOST_BYTES + CUT.len());
            }
        }
        assert!(pretty(&piece("1,"), BOTH).ends_with(CUT));
    }

    proptest! {
        #[test]
        fn any_text_is_laid_out_without_a_tag_of_its_own(text in ".{0,200}") {
            let html = pretty(&text, BOTH);
            let tags = html.matches('<').count();
            prop_assert_eq!(tags, html.matches("<span class=").count() + html.matches("</span>").count());
        }

        #[test]
        fn valid_json_means_the_same_afterwards(value in prop::collection::btree_map(".{0,8}", prop::option::of(any::<i32>()), 0..6)) {
            let text = serde_json::to_string(&value).unwrap();
            let shown = without_tags(&pretty(&text, Mask::NOTHING));
            let before: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), before);
        }
    }
}

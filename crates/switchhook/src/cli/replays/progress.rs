//! Progress of a replay on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use switchhook_web::api::answers::ReplayAnswer;

use crate::terminal;

/// A progress bar; hidden if standard error is not a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        let template = "{bar:30} {pos}/{len} delivered  {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(0).with_style(style))
    }

    pub(super) fn show(&self, replay: &ReplayAnswer) {
        let progress = &replay.progress;
        self.0.set_length(progress.total);
        self.0.set_position(progress.delivered);
        let exhausted = match progress.exhausted {
            0 => String::new(),
            given_up => format!(", {given_up} exhausted"),
        };
        terminal::set_message(&self.0, format_args!("{} pending{exhausted}", progress.pending));
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

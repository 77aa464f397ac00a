//! The template of a header's value.

use super::{Template, TemplateContext, TemplateError};

/// The most bytes of a value.
pub const LONGEST_VALUE: usize = 2 * 1024;

/// A template that makes the value of a header from an event.
#[derive(Debug, Clone)]
pub struct HeaderTemplate(Template);

impl HeaderTemplate {
    /// Reads one.
    ///
    /// # Errors
    /// Says what in it cannot be, and in which line.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Template::parse(text, Some("text/plain")).map(Self)
    }

    /// The value for an event: in one line, since a header cannot have more.
    ///
    /// # Errors
    /// Says what is wrong: the next time the same will be.
    pub fn fill_in(&self, event: &[u8], context: TemplateContext) -> Result<String, TemplateError> {
        let filled = self.0.fill_in(event, context)?;
        let value = filled.trim().replace(char::is_control, " ");
        if value.len() > LONGEST_VALUE {
            return Err(TemplateError::TooLarge { most: LONGEST_VALUE });
        }
        Ok(value)
    }
}

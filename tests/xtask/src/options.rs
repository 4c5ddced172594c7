//! What was asked for, after the name of the command.

use crate::Mistake;

/// Words taken one by one.
pub(crate) struct Options<'a> {
    words: std::slice::Iter<'a, String>,
    inline: Option<&'a str>,
    last: &'a str,
}

impl<'a> Options<'a> {
    pub(crate) fn new(words: &'a [String]) -> Self {
        Self { words: words.iter(), inline: None, last: "" }
    }

    /// The next word; of `--name=value` the name.
    pub(crate) fn next(&mut self) -> Result<Option<&'a str>, Mistake> {
        if self.inline.is_some() {
            return wrong(format!("{} takes no value", self.last));
        }
        let Some(word) = self.words.next() else { return Ok(None) };
        (self.last, self.inline) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (word.as_str(), None),
        };
        Ok(Some(self.last))
    }

    /// The value of the word before: what follows it, or its `=`.
    pub(crate) fn value(&mut self) -> Result<&'a str, Mistake> {
        match self.inline.take().or_else(|| self.words.next().map(String::as_str)) {
            Some(value) => Ok(value),
            None => wrong(format!("{} needs a value", self.last)),
        }
    }

    /// Ends on a word that is not known.
    pub(crate) fn unknown<T>(&self) -> Result<T, Mistake> {
        wrong(format!("no option `{}`", self.last))
    }
}

/// Ends the command: it was called the wrong way.
pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake::Usage(what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_or_stand_behind_an_equals_sign() {
        let words = ["--port", "1", "--port=2", "--quick"].map(str::to_owned);
        let mut options = Options::new(&words);
        assert!(matches!(options.next(), Ok(Some("--port"))));
        assert!(matches!(options.value(), Ok("1")));
        assert!(matches!(options.next(), Ok(Some("--port"))));
        assert!(matches!(options.value(), Ok("2")));
        assert!(matches!(options.next(), Ok(Some("--quick"))));
        assert!(options.value().is_err());
        assert!(matches!(options.next(), Ok(None)));
    }

    #[test]
    fn a_value_that_nobody_wants_is_a_mistake() {
        let words = ["--quick=yes".to_owned()];
        let mut options = Options::new(&words);
        assert!(matches!(options.next(), Ok(Some("--quick"))));
        assert!(options.next().is_err());
    }
}

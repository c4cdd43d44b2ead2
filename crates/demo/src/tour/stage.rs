//! The stage: lines of at most 80 columns, at a reader's pace, with colour if wanted.

use std::io::{self, Write};
use std::time::Duration;

use crate::pause;

/// Where the tour is played.
pub struct Stage<'a> {
    output: &'a mut dyn Write,
    colour: bool,
    pace: Duration,
}

/// What a piece of text is, which gives it its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Heading,
    Question,
    Call,
    Faint,
    Alarm,
    Number,
}

/// The width of the text.
const WIDTH: usize = 78;

impl<'a> Stage<'a> {
    /// A stage that prints to `output` and lets `pace` pass at each line.
    pub fn new(output: &'a mut dyn Write, colour: bool, pace: Duration) -> Self {
        Self { output, colour, pace }
    }

    /// Says something in sentences.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.paragraph(Ink::Plain, "  ", "  ", text)
    }

    /// An empty line.
    pub(super) fn gap(&mut self) -> io::Result<()> {
        writeln!(self.output)
    }

    /// Begins a scene.
    pub(super) fn heading(&mut self, title: &str) -> io::Result<()> {
        let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count() + 4));
        self.gap()?;
        self.line(Ink::Heading, &format!("── {title} {rule}"))?;
        self.gap()
    }

    /// The question that a scene answers, and time to think about it.
    pub(super) fn question(&mut self, text: &str) -> io::Result<()> {
        self.paragraph(Ink::Question, "  ", "  ", text)?;
        self.gap()?;
        // Long enough to guess the answer.
        pause(self.pace * 4);
        Ok(())
    }

    /// A call that a program makes.
    pub(super) fn call(&mut self, who: &str, call: &str) -> io::Result<()> {
        let first = format!("         {who:<4}  > ");
        self.paragraph(Ink::Call, &first, "               >   ", call)
    }

    /// The number that proves the point.
    pub(super) fn number(&mut self, text: &str) -> io::Result<()> {
        self.paragraph(Ink::Number, "  => ", "     ", text)
    }

    /// A command to try, and what it shows.
    pub(super) fn command(&mut self, command: &str, what: &str) -> io::Result<()> {
        self.line(Ink::Call, &format!("  {command}"))?;
        self.paragraph(Ink::Plain, "      ", "      ", what)
    }

    /// One line. It is on the reader's screen when this returns, and has been for the pace.
    pub(super) fn line(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        let text = text.trim_end();
        match ink.code().filter(|_| self.colour) {
            Some(code) => writeln!(self.output, "\u{1b}[{code}m{text}\u{1b}[0m")?,
            None => writeln!(self.output, "{text}")?,
        }
        if !self.pace.is_zero() {
            self.output.flush()?;
            pause(self.pace);
        }
        Ok(())
    }

    /// Text broken into lines between words.
    fn paragraph(&mut self, ink: Ink, first: &str, later: &str, text: &str) -> io::Result<()> {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in text.split(' ') {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(ink, &line)?;
                line = later.to_owned();
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(ink, &line)
    }
}

impl Ink {
    /// The terminal's code for it.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Question => Some("1;33"),
            Self::Call => Some("36"),
            Self::Faint => Some("2"),
            Self::Alarm => Some("31"),
            Self::Number => Some("1;32"),
        }
    }
}

//! Faults that are put into the program on purpose, to see the simulation find them: a file of the program, a text in it,
//! what takes its place, and the rule that must break then.
//!
//! ```text
//! # What it is.
//! breaks: no_2xx_is_lost
//! file: src/store/journal.rs
//! <<<<
//! old text
//! ====
//! new text
//! >>>>
//! ```

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub breaks: String,
    pub file: String,
    pub old: String,
    pub new: String,
}

impl Fault {
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name));
            found.map(|value| value.trim().to_string()).ok_or_else(|| format!("it has no line `{name}`"))
        };
        let (_, behind) = text.split_once("<<<<\n").ok_or("it has no `<<<<`")?;
        let (old, behind) = behind.split_once("\n====\n").ok_or("it has no `====`")?;
        // Nothing may take its place.
        let (new, _) = behind.rsplit_once(">>>>").ok_or("it has no `>>>>`")?;
        let new = new.strip_suffix('\n').unwrap_or(new);
        Ok(Self { breaks: line("breaks:")?, file: line("file:")?, old: old.into(), new: new.into() })
    }
}

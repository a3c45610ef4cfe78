//! What was measured: printed as it comes, each figure beside an earlier run's, and kept as JSON.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{json, Value};

/// The run that is stored with the sources; `--baseline FILE` names another.
const STORED: &str = include_str!("baseline.json");

/// A column whose value is this far from the baseline's is named. Two runs on one machine differ by less most of the time;
/// two machines do not, so it is never a failure.
const TOLD: f64 = 0.25;

/// All rows of a run.
pub struct Table {
    rows: Vec<Row>,
    baseline: BTreeMap<(String, String), BTreeMap<String, f64>>,
    part: &'static str,
    columns: &'static [&'static str],
}

struct Row {
    part: &'static str,
    what: String,
    values: Vec<(&'static str, f64)>,
}

impl Table {
    /// An empty one, to be compared with a file of an earlier run, or with the stored one.
    pub fn new(baseline: Option<&str>) -> Self {
        let text = match baseline {
            Some(file) => fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}")),
            None => STORED.to_string(),
        };
        let stored: Value = serde_json::from_str(&text).expect("a baseline is what --json has written");
        let rows = stored["rows"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let values = |row: &Value| {
            let values = row["values"].as_object().into_iter().flatten();
            values.filter_map(|(column, value)| Some((column.clone(), value.as_f64()?))).collect()
        };
        let baseline = rows.map(|row| ((text(&row["part"]), text(&row["what"])), values(row))).collect();
        Self { rows: Vec::new(), baseline, part: "", columns: &[] }
    }

    /// Begins a part.
    pub fn part(&mut self, part: &'static str, title: &str, columns: &'static [&'static str]) {
        self.part = part;
        self.columns = columns;
        print!("\n{title:<50}");
        columns.iter().for_each(|column| print!(" {column:>9}"));
        println!("  baseline");
    }

    /// Adds what was measured, in the order of the part's columns. What is no number was not measured.
    pub fn row(&mut self, what: impl Into<String>, values: &[f64]) {
        let what = what.into();
        let values: Vec<_> = self.columns.iter().copied().zip(values.iter().copied()).collect();
        print!("  {what:<48}");
        values.iter().for_each(|(_, value)| print!(" {:>9}", text(*value)));
        println!("  {}", self.compared(&what, &values));
        self.rows.push(Row { part: self.part, what, values });
    }

    fn compared(&self, what: &str, values: &[(&'static str, f64)]) -> String {
        let Some(before) = self.baseline.get(&(self.part.to_string(), what.to_string())) else {
            return "-".into();
        };
        let far = values.iter().filter_map(|(column, now)| {
            let before = *before.get(*column)?;
            let near = (now - before).abs() <= TOLD * before.abs().max(0.1);
            (now.is_finite() && !near).then(|| format!("{column} {}", text(before)))
        });
        let far: Vec<_> = far.collect();
        if far.is_empty() {
            "alike".into()
        } else {
            far.join(", ")
        }
    }

    /// Everything, for another run to be compared with.
    pub fn to_json(&self, quick: bool) -> Value {
        let values = |row: &Row| -> Value {
            let known = row.values.iter().filter(|(_, value)| value.is_finite());
            known
                .map(|(column, value)| (column.to_string(), json!((value * 1000.0).round() / 1000.0)))
                .collect()
        };
        let rows = self.rows.iter();
        let rows: Vec<_> =
            rows.map(|row| json!({ "part": row.part, "what": row.what, "values": values(row) })).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "quick": quick,
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "rows": rows,
        })
    }
}

/// As many digits as say something.
fn text(value: f64) -> String {
    match value {
        value if !value.is_finite() => "".into(),
        value if value.fract() == 0.0 || value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

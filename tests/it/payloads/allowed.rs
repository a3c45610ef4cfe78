//! Every body that GitHub's descriptions allow is taken: with fields absent that need not be there, and `null` where that is
//! allowed. A field that nothing can be done without would have to be named in [`NEEDED`].

use std::path::Path;

use serde_json::{json, Map, Value};

use super::{answer_to, files_below, folder};
use crate::standin::Delivery;
use crate::world::{Truth, World};

/// Fields that the descriptions let GitHub leave out or set to `null`, and without which a delivery is refused: event, path.
const NEEDED: &[(&str, &str)] = &[];

/// A body as a description has it.
struct Body {
    /// The description's own name of it.
    name: String,
    event: String,
    schema: Value,
    /// What references in the schema are relative to.
    references: References,
}

#[derive(Clone, Copy)]
enum References {
    /// There are none.
    None,
    /// Files beside one another.
    Files,
}

/// One way in which a body may differ from one that has everything.
#[derive(Clone)]
enum Change {
    Absent,
    Null,
    Other(Value),
}

/// A body that has everything, and each way in which it may differ.
#[derive(Default)]
struct Shapes {
    changes: Vec<(Vec<String>, Change)>,
    next_id: u64,
}

/// GitHub's own description, and the older schemas of `octokit/webhooks`.
fn bodies() -> Vec<Body> {
    let described: Value = serde_json::from_str(include_str!("../../api/github-webhooks.json")).unwrap();
    let described = described["bodies"].as_object().unwrap().iter().map(|(name, schema)| Body {
        name: name.clone(),
        event: name.split('/').next().unwrap().into(),
        schema: schema.clone(),
        references: References::None,
    });
    let schemas = folder().join("schemas");
    let events = ["membership", "organization", "ping", "team"];
    let files = events.into_iter().flat_map(|event| {
        files_below(&schemas.join(event)).into_iter().map(move |file| (event.to_string(), file))
    });
    let files = files.map(|(event, file)| Body {
        name: file.file_name().unwrap().to_string_lossy().into_owned(),
        event,
        schema: read(&file),
        references: References::Files,
    });
    described.chain(files).collect()
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

impl References {
    fn resolved(self, schema: &Value) -> Value {
        let Some(name) = schema["$ref"].as_str() else { return schema.clone() };
        assert!(matches!(self, References::Files), "{name}");
        let name = if name.contains('/') { name.into() } else { format!("common/{name}") };
        read(&folder().join("schemas").join(name))
    }
}

impl Shapes {
    /// Everything that the schema knows; each way in which it may be otherwise is noted.
    fn full(&mut self, from: References, schema: &Value, path: &[String]) -> Value {
        let schema = from.resolved(schema);
        let types = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect::<Vec<_>>(),
        };
        if schema["nullable"] == true || types.contains(&"null") {
            self.changes.push((path.to_vec(), Change::Null));
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(ways) = schema[choice].as_array() {
                return self.one_of(from, ways, path);
            }
        }
        if let Some(values) = schema["enum"].as_array() {
            self.others(path, &values[1..]);
            return values[0].clone();
        }
        match types.first().copied() {
            Some("object") => self.object(from, &schema, path),
            Some("array") => {
                self.others(path, &[json!([])]);
                json!([self.full(from, &schema["items"], &[path, &["0".to_string()]].concat())])
            }
            Some("boolean") => {
                self.others(path, &[json!(true)]);
                json!(false)
            }
            Some("integer" | "number") => {
                self.next_id += 1;
                json!(self.next_id)
            }
            _ => json!("text"),
        }
    }

    fn one_of(&mut self, from: References, ways: &[Value], path: &[String]) -> Value {
        let mut found: Vec<Value> = Vec::new();
        for way in ways {
            // How the other ways may differ in turn is their own business: each is also tried with what it must have.
            let mut own = Shapes { next_id: self.next_id, ..Shapes::default() };
            let full = own.full(from, way, path);
            let bare = own.bare(full.clone(), path.len());
            if found.is_empty() {
                self.changes.append(&mut own.changes)
            } else {
                self.others(path, &[full.clone(), bare])
            }
            self.next_id = own.next_id;
            found.push(full);
        }
        found.swap_remove(0)
    }

    fn object(&mut self, from: References, schema: &Value, path: &[String]) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut all = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = [path, std::slice::from_ref(name)].concat();
            if !required.contains(&json!(name)) {
                self.changes.push((path.clone(), Change::Absent));
            }
            all.insert(name.clone(), self.full(from, property, &path));
        }
        Value::Object(all)
    }

    fn others(&mut self, path: &[String], values: &[Value]) {
        self.changes.extend(values.iter().map(|value| (path.to_vec(), Change::Other(value.clone()))));
    }

    /// With everything absent that may be, and `null` where the rest may be that.
    fn bare(&self, mut body: Value, skip: usize) -> Value {
        for (path, change) in &self.changes {
            if matches!(change, Change::Absent | Change::Null) {
                apply(&mut body, &path[skip..], change);
            }
        }
        body
    }
}

/// Makes one change, if its place is there.
fn apply(body: &mut Value, path: &[String], change: &Change) {
    let Some((last, above)) = path.split_last() else {
        match change {
            Change::Null => *body = Value::Null,
            Change::Other(value) => *body = value.clone(),
            Change::Absent => {}
        }
        return;
    };
    let place = above.iter().try_fold(body, |at, name| at.get_mut(name.as_str()));
    let Some(place) = place.and_then(Value::as_object_mut).filter(|place| place.contains_key(last)) else {
        return;
    };
    match change {
        Change::Absent => drop(place.remove(last)),
        Change::Null => drop(place.insert(last.clone(), Value::Null)),
        Change::Other(value) => drop(place.insert(last.clone(), value.clone())),
    }
}

/// All the bodies to try of one description, each with what is special about it.
fn variants(body: &Body) -> Vec<(String, Value)> {
    let mut shapes = Shapes::default();
    let full = shapes.full(body.references, &body.schema, &[]);
    let bare = shapes.bare(full.clone(), 0);
    let mut nulls = full.clone();
    let is_null = |(_, change): &&(Vec<String>, Change)| matches!(change, Change::Null);
    shapes.changes.iter().filter(is_null).for_each(|(path, change)| apply(&mut nulls, path, change));
    let mut all = vec![
        ("all there".to_string(), full.clone()),
        ("all that may be absent is".into(), bare.clone()),
        ("all that may be null is".into(), nulls),
    ];
    for (path, change) in &shapes.changes {
        let what = match change {
            Change::Absent => "absent".into(),
            Change::Null => "null".into(),
            Change::Other(value) => value.to_string(),
        };
        for (base, of) in [("", &full), (" of little", &bare)] {
            let mut changed = of.clone();
            apply(&mut changed, path, change);
            if changed != *of {
                all.push((format!("{} is {what}{base}", path.join(".")), changed));
            }
        }
    }
    all
}

#[test]
fn every_body_that_githubs_descriptions_allow_is_taken() {
    let mut world = World::new(Truth::Deliveries);
    // Nothing is carried out meanwhile.
    world.github.set_down(true).unwrap();
    world.set("GH_ORG", "acme");
    world.start();
    let mut sender = world.sender();
    let (mut n_sent, mut refused) = (0, Vec::new());
    for body in bodies() {
        for (what, mut payload) in variants(&body) {
            if let Some(organization) = payload["organization"].as_object_mut() {
                organization.insert("id".into(), json!(1));
                organization.insert("login".into(), json!("acme"));
            }
            n_sent += 1;
            let bytes = serde_json::to_vec(&payload).unwrap();
            let answer = sender.send(&Delivery::raw(&format!("{n_sent}"), 7, &body.event, &bytes)).unwrap();
            let said: Value = serde_json::from_slice(&answer.body).unwrap();
            let expected = answer_to(&body.event, payload["action"].as_str().unwrap_or_default());
            let is_needed = NEEDED.iter().any(|(event, path)| *event == body.event && what.starts_with(path));
            if (answer.status, said["status"].as_str().unwrap_or_default()) != expected && !is_needed {
                refused.push(format!("{}: {what}: {said}", body.name));
            }
        }
    }
    assert!(refused.is_empty(), "{} of {n_sent}:\n{}", refused.len(), refused.join("\n"));
    assert!(n_sent > 1000, "{n_sent}");
}

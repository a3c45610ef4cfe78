//! Checks the webhook's settings as its `ping` shows them, and advises what to change. Pure.

use crate::state::event::Ping;

/// The events that a webhook has to send.
pub(super) const NEEDED: [&str; 3] = ["membership", "organization", "team"];

/// How the GUID starts in a ping from `check --url`. Such a ping says nothing about the webhook on GitHub.
pub const OF_CHECK: &str = "check-";

/// A setting that should be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The problem, and what to change in the webhook's settings.
    pub text: String,
    pub weight: Weight,
}

/// How much an [`Advice`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Missed,
    /// Others may read or change what is sent.
    Unsafe,
    Taste,
}

/// The settings of the webhook that should be changed. Empty if there are none.
pub fn advice(ping: &Ping) -> Vec<Advice> {
    let mut advice = Vec::new();
    let mut add = |weight, text: String| advice.push(Advice { text, weight });
    if !ping.hook_type.is_empty() && !["Organization", "App"].contains(&ping.hook_type.as_str()) {
        let kind = crate::text::plain(&ping.hook_type, 40);
        add(Weight::Missed, format!(
            "this is a {kind} webhook, which receives no membership events; create a webhook in the organisation's settings"
        ));
    }
    let missing = missing_events(ping);
    if !missing.is_empty() {
        add(Weight::Missed, format!("the webhook does not send {}: choose \"Let me select individual events\" and tick Memberships, Organizations and Teams", missing.join(", ")));
    }
    if ping.content_type == "form" {
        let text =
            "the content type is application/x-www-form-urlencoded; it works, but application/json is smaller";
        add(Weight::Taste, text.into());
    }
    if ping.insecure {
        let text = "SSL verification is disabled: enable it, or anybody between GitHub and this service can read the deliveries";
        add(Weight::Unsafe, text.into());
    }
    advice
}

/// The needed events that a webhook does not send. Empty if the ping doesn't say which events it sends.
pub fn missing_events(ping: &Ping) -> Vec<&'static str> {
    let sends = |event: &str| {
        let Some(events) = &ping.events else { return true };
        events.iter().any(|known| known == event || known == "*")
    };
    NEEDED.into_iter().filter(|event| !sends(event)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(events: &[&str]) -> Ping {
        Ping {
            hook_type: "Organization".into(),
            events: Some(events.iter().map(|event| event.to_string()).collect()),
            content_type: "json".into(),
            insecure: false,
        }
    }

    #[test]
    fn a_good_hook_needs_no_advice() {
        assert!(advice(&ping(&["team", "membership", "organization", "push"])).is_empty());
        assert!(advice(&ping(&["*"])).is_empty());
        assert!(advice(&Ping::default()).is_empty(), "a ping may say nothing of its hook");
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let missing = advice(&ping(&["team"]));
        assert!(
            missing[0].text.starts_with("the webhook does not send membership, organization:"),
            "{missing:?}"
        );
        let bad = Ping {
            content_type: "form".into(),
            insecure: true,
            hook_type: "Repository".into(),
            ..ping(&["*"])
        };
        assert_eq!(advice(&bad).len(), 3);
    }
}

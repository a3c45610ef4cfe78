//! What `ping` tells about the hook, and what should be set otherwise. Pure.

use crate::event::Ping;

/// The events that a hook has to send.
const EVENTS: [&str; 3] = ["membership", "organization", "team"];

/// What is wrong with the hook, each as a sentence for GitHub's form. Empty if all is well.
pub fn advice(ping: &Ping) -> Vec<String> {
    let mut advice = Vec::new();
    if !ping.hook_type.is_empty() && !["Organization", "App"].contains(&ping.hook_type.as_str()) {
        let kind = crate::escape::plain(&ping.hook_type, 40);
        advice.push(format!(
            "this is a hook of a {kind}: memberships are told to organisation hooks only; make one in the organisation's settings"
        ));
    }
    let sends = |event: &str| ping.events.iter().any(|known| known == event || known == "*");
    let missing: Vec<_> = EVENTS.into_iter().filter(|event| !sends(event)).collect();
    if !missing.is_empty() {
        advice.push(format!("the hook does not send {}: choose \"Let me select individual events\" and tick Memberships, Organizations and Teams", missing.join(", ")));
    }
    if ping.content_type == "form" {
        advice.push(
            "the content type is application/x-www-form-urlencoded; it works, application/json is smaller"
                .into(),
        );
    }
    if ping.insecure {
        advice.push(
            "SSL verification is disabled: enable it, or anybody on the way can read the deliveries".into(),
        );
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(events: &[&str]) -> Ping {
        Ping {
            hook_type: "Organization".into(),
            events: events.iter().map(|event| event.to_string()).collect(),
            content_type: "json".into(),
            insecure: false,
        }
    }

    #[test]
    fn a_good_hook_needs_no_advice() {
        assert!(advice(&ping(&["team", "membership", "organization", "push"])).is_empty());
        assert!(advice(&ping(&["*"])).is_empty());
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let missing = advice(&ping(&["team"]));
        assert!(missing[0].starts_with("the hook does not send membership, organization:"), "{missing:?}");
        let bad = Ping {
            content_type: "form".into(),
            insecure: true,
            hook_type: "Repository".into(),
            ..ping(&["*"])
        };
        assert_eq!(advice(&bad).len(), 3);
    }
}

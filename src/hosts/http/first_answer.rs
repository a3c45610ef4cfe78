//! Remembers whether the expected API has ever answered at a host's address.
//!
//! A wrong base address may be answered too: by a web page, a login wall, another program. Only an answer from the API
//! itself shows that the address is right. One such answer is enough: a later failure is an outage.

use super::Reply;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::verdict::{is_of_the_api, Verdict};
use crate::lock::Mutex;

/// Who has answered so far, until the API has.
#[derive(Debug, Default)]
pub struct FirstAnswer(Mutex<Heard>);

/// Who has answered at a host's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Heard {
    /// Nothing has come back yet.
    #[default]
    Nothing,
    /// The last call got no answer at all, for this reason.
    Silence(String),
    /// Something that isn't the API answered, with this message.
    Another(String),
    TheApi,
}

impl Heard {
    /// Finds out who sent a reply.
    pub(super) fn of(asked: Asked, reply: &Reply) -> Self {
        let said = &reply.exchange.answer;
        match (reply.answer.status, &reply.verdict) {
            (0, _) => Heard::Silence(said.clone()),
            (_, verdict) if is_of_the_api(asked, verdict, &reply.answer) => Heard::TheApi,
            (_, Verdict::Unknown(why) | Verdict::Refused(why)) => Heard::Another(why.clone()),
            _ => Heard::Another(said.clone()),
        }
    }
}

impl FirstAnswer {
    pub fn learn(&self, heard: Heard) {
        let mut known = self.0.lock();
        if *known != Heard::TheApi {
            *known = heard;
        }
    }

    pub fn heard(&self) -> Heard {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_has_said_once_no_outage_takes_back() {
        let first = FirstAnswer::default();
        assert_eq!(first.heard(), Heard::Nothing);
        for heard in [Heard::Silence("refused".into()), Heard::Another("a page".into()), Heard::TheApi] {
            first.learn(heard.clone());
            assert_eq!(first.heard(), heard);
        }
        first.learn(Heard::Silence("down".into()));
        first.learn(Heard::Another("503".into()));
        assert_eq!(first.heard(), Heard::TheApi);
    }
}

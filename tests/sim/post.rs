//! How deliveries come to the process, and what is known of those that did.

use std::time::Duration;

use sentry_team_sync::parts::IntakeAnswer;

use super::disk::Weather;
use super::mail::{self, Underway};
use super::play::{Done, Sequence};
use super::rules::Failure;
use super::sides::Truth;
use crate::standin::http::Response;
use crate::standin::Delivery;

impl Sequence {
    /// Any of them may be lost, doubled, late or out of order.
    pub fn send_by_chance(&mut self, step: usize, mut deliveries: Vec<Delivery>) -> Done {
        for at in (1..deliveries.len()).rev() {
            let other = self.draw.below(at as u64 + 1) as usize;
            deliveries.swap(at, other);
        }
        if self.profile.is_heard {
            return self.send_surely(deliveries);
        }
        for delivery in deliveries {
            match self.draw.below(100) {
                0..=14 => {
                    self.tally.lost += 1;
                    self.list_as_missed(&delivery);
                    self.say(&format!("  lost: {}", mail::name(&delivery)));
                }
                15..=34 => {
                    self.tally.late += 1;
                    let at = step + 1 + self.draw.below(5) as usize;
                    self.late.push((at, delivery));
                }
                35..=46 => {
                    self.tally.doubled += 1;
                    let at = step + self.draw.below(4) as usize;
                    self.late.push((at, delivery.clone()));
                    self.send(delivery)?;
                }
                _ => self.send(delivery)?,
            }
        }
        Ok(())
    }

    /// Whatever would wait for a person makes way, and all that is late arrives.
    pub fn send_the_rest(&mut self) -> Done {
        let fair = self.org.make_way(&self.sides, self.draw.rng());
        if self.profile.truth == Truth::Deliveries {
            return self.send_in_order(fair);
        }
        let late = std::mem::take(&mut self.late).into_iter().map(|(_, delivery)| delivery);
        for delivery in fair.into_iter().chain(late) {
            self.send(delivery)?;
        }
        Ok(())
    }

    /// Sends one, which may be in vain.
    pub fn send(&mut self, delivery: Delivery) -> Done {
        self.put_underway(delivery);
        if self.draw.percent(30) {
            let ms = self.draw.below(20);
            self.pass(Duration::from_millis(ms));
        }
        Ok(())
    }

    pub fn put_underway(&mut self, delivery: Delivery) {
        let name = mail::name(&delivery);
        match &self.process {
            Some(process) => {
                self.underway.push(Underway::new(&self.stage, process, delivery.clone()));
                self.sent.push(delivery);
                self.say(&format!("  arrives: {name}"));
            }
            None => {
                self.list_as_missed(&delivery);
                self.say(&format!("  nobody is there: {name}"));
            }
        }
    }

    /// An App reads in its own list what never came.
    pub fn list_as_missed(&mut self, delivery: &Delivery) {
        if self.profile.is_app && self.profile.truth == Truth::Github {
            self.sides.github.log_delivery(delivery, None);
            self.missed.push(delivery.clone());
        }
    }

    /// In the order in which they happened, each until it is answered; some of them come again.
    pub fn send_in_order(&mut self, deliveries: Vec<Delivery>) -> Done {
        for delivery in deliveries {
            if self.profile.recovers && self.draw.percent(15) && mail::may_be_missed(&delivery) {
                self.sides.github.log_delivery(&delivery, None);
                self.tally.lost += 1;
                self.say(&format!("  missed: {}", mail::name(&delivery)));
                self.missed.push(delivery);
                continue;
            }
            self.send_surely(vec![delivery])?;
            if self.taken.is_empty() {
                continue;
            }
            if self.draw.percent(15) {
                self.tally.doubled += 1;
                let again = self.draw.one_of(&self.taken).cloned();
                self.send_surely(again.into_iter().collect())?;
            }
            if self.draw.percent(6) && self.process.is_some() {
                self.bury();
                self.open();
            }
        }
        Ok(())
    }

    /// Now and then, what was missed is found in GitHub's list, and can not be kept.
    pub fn look_into_the_list_in_vain(&mut self) {
        if !self.missed.is_empty() && self.process.is_some() && self.rarely(6) {
            self.bury();
            self.open();
            self.stage.disk.set_weather(Weather::Full);
            self.say("the disk is full");
        }
    }

    /// Each until it is answered with a 2xx.
    pub fn send_surely(&mut self, deliveries: Vec<Delivery>) -> Done {
        for delivery in deliveries {
            let mut tries = 0;
            while !self.try_send(&delivery) {
                tries += 1;
                if tries > 300 {
                    let what = format!("nobody takes {}", mail::name(&delivery));
                    return Err(Failure::new("it_comes_to_an_end", what));
                }
                if tries > 3 {
                    self.clear_the_sky();
                }
                self.revive();
                self.pass(Duration::from_millis(if tries < 10 { 200 } else { 10_000 }));
            }
        }
        Ok(())
    }

    /// Sends one and waits for its answer; whether that was a 2xx.
    fn try_send(&mut self, delivery: &Delivery) -> bool {
        let before = self.taken.len();
        self.put_underway(delivery.clone());
        if self.process.is_none() {
            return false;
        }
        let sent = self.underway.pop();
        let answer = sent.as_ref().and_then(Underway::wait);
        if let (Some(sent), Some(answer)) = (sent, answer) {
            self.answered(sent.delivery, answer);
        }
        self.look_at_mail();
        self.taken.len() > before
    }

    /// Takes note of what was answered meanwhile, and of a process that has died.
    pub fn look_at_mail(&mut self) {
        self.look_at_mail_once();
        if self.process.is_some() && self.stage.baton.is_dead() {
            self.bury();
        }
    }

    pub fn look_at_mail_once(&mut self) {
        for sent in std::mem::take(&mut self.underway) {
            match sent.answer() {
                Some(answer) => self.answered(sent.delivery, answer),
                None => self.underway.push(sent),
            }
        }
        let over = std::mem::take(&mut self.commands);
        for (told, begun) in over {
            match begun.take() {
                Some(reply) => self.say(&format!("ends: {told}: {} {}{}", reply.exit, reply.out, reply.err)),
                None => self.commands.push((told, begun)),
            }
        }
    }

    fn answered(&mut self, delivery: Delivery, answer: IntakeAnswer) {
        let said = String::from_utf8_lossy(&answer.body).trim().to_string();
        self.say(&format!("  answered {} {said}: {}", answer.status, mail::name(&delivery)));
        if self.profile.recovers {
            let response = Response::new(answer.status, answer.content_type, answer.body);
            self.sides.github.log_delivery(&delivery, Some(&response));
        }
        // Whatever was taken: what is nobody's business is told with a 200 that keeps nothing.
        if answer.status < 300 && !said.contains("\"ignored\"") && !said.contains("\"noted\"") {
            self.tally.deliveries += 1;
            self.taken.push(delivery);
        }
    }
}

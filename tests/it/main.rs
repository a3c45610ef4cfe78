//! One binary for all integration tests: the real program over real HTTP against stateful stand-ins.

// Tests say what must hold by stopping where it does not.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// The stand-ins fold names as GitHub and Sentry do.
#![allow(clippy::disallowed_methods)]

#[path = "../sim/mod.rs"]
mod sim;
mod simulation;
#[path = "../standin/mod.rs"]
mod standin;
mod standin_rules;
#[path = "../world/mod.rs"]
mod world;

mod addresses;
mod answers;
mod app;
mod audit;
mod check;
mod cli;
mod come_back;
mod completions;
mod crash;
mod decisions;
mod effects;
mod ends;
mod explain;
mod faults;
mod fill;
mod first;
mod first_answer;
mod flood;
mod found;
mod full;
mod fuzz;
mod gate;
mod handover;
mod house;
mod http;
mod incomplete;
mod invites;
mod lifecycle;
mod links;
mod locked;
mod logins;
mod meant;
mod mode;
mod nameless;
mod pages;
mod paste;
mod pause;
mod payloads;
mod people;
mod proxies;
mod raw;
mod real_sentry;
mod recipes;
mod reconcile;
mod recover;
mod refusals;
mod regions;
mod reload;
mod restarts;
mod scim;
mod second;
mod secrecy;
mod settings;
mod snapshot;
mod systemd;
mod team_ids;
mod teams;
mod threaded;
mod threats;
mod tidy;
mod trouble;
mod undo;
mod upgrade;
mod usermap;
mod waiting;
mod watching;

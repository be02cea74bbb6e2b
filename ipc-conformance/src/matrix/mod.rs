//! The suite of record: every scenario, for every ordered pair of subjects, on every transport that both can do.
//!
//! A *subject* is a command that speaks the line protocol; a *scenario* drives two or more of them by its lines and judges by its
//! lines, so it knows no implementation. A *cell* is one scenario with one server subject, one client subject and one transport.
//! What is wrong with a version of node-ipc, and known to be, is listed in `defects`; nothing else is excused.

pub mod cells;
pub mod cli;
pub mod defects;
pub mod failure;
pub mod junit;
pub mod place;
pub mod report;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod stage;
pub mod subject;
pub mod summary;

//! What came of a run, counted: in all, by pair, by scenario and subject; and as JSON.

use serde_json::{Value, json};

use super::failure::Failure;
use super::run::{Played, Verdict};
use super::scenario::Scenario;
use super::subject::{Absent, Subject};

/// A run.
#[derive(Debug)]
pub struct Summary {
    /// Who took part.
    pub subjects: Vec<Subject>,
    /// What each says it is, in the same order.
    pub described: Vec<String>,
    /// Who did not.
    pub absent: Vec<Absent>,
    /// All cells, in order.
    pub played: Vec<Played>,
}

/// Numbers of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All was as it must be.
    pub passed: usize,
    /// Failed as expected.
    pub defects: usize,
    /// Not supported by a subject, or not tested on this system.
    pub without: usize,
    /// Failed, or passed against expectation.
    pub failed: usize,
}

impl Tally {
    /// Counts cells.
    pub fn of<'a>(played: impl IntoIterator<Item = &'a Played>) -> Self {
        let mut tally = Self::default();
        for one in played {
            *match one.verdict {
                Verdict::Passed => &mut tally.passed,
                Verdict::Defect(..) => &mut tally.defects,
                Verdict::Unsupported(_) | Verdict::Skipped => &mut tally.without,
                Verdict::Mended(_) | Verdict::Failed(_) => &mut tally.failed,
            } += 1;
        }
        tally
    }

    /// All cells.
    pub fn all(&self) -> usize {
        self.passed + self.defects + self.without + self.failed
    }
}

impl Summary {
    /// All cells counted.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.played)
    }

    /// The cells of a pair, counted.
    pub fn pair(&self, server: usize, client: usize) -> Tally {
        Tally::of(self.played.iter().filter(|one| one.cell.server == server && one.cell.client == client))
    }

    /// The scenarios that were played, in order.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let mut all: Vec<Scenario> = Vec::new();
        for one in &self.played {
            if all.last().is_none_or(|last| last.name != one.cell.scenario.name) {
                all.push(one.cell.scenario);
            }
        }
        all
    }

    /// What became of a scenario wherever a subject took part, the worst first. A defect, and what is not supported, counts only
    /// for the subject whose it is.
    pub fn of_subject(&self, scenario: &Scenario, subject: usize) -> &'static str {
        let mut mark = "";
        for one in self.played.iter().filter(|one| one.cell.scenario.name == scenario.name) {
            let (server, client) = (one.cell.server == subject, one.cell.client == subject);
            if !server && !client {
                continue;
            }
            let name = self.subjects[subject].name.as_str();
            let this = match &one.verdict {
                Verdict::Failed(_) | Verdict::Mended(_) => return "FAILED",
                Verdict::Defect(defect, _) if defect.subjects.contains(&name) => "defect",
                Verdict::Unsupported(Failure::Unsupported { server: its, .. })
                    if (*its && server) || (!*its && client) =>
                {
                    "unsupported"
                }
                Verdict::Passed => "ok",
                _ => "",
            };
            let weight = |mark: &str| ["", "ok", "unsupported", "defect"].iter().position(|one| *one == mark);
            if weight(this) > weight(mark) {
                mark = this;
            }
        }
        mark
    }

    /// The run as JSON.
    pub fn to_json(&self) -> Value {
        let tally = self.tally();
        let subjects: Vec<Value> = self
            .subjects
            .iter()
            .zip(&self.described)
            .map(|(subject, described)| json!({"name": subject.name, "is": described}))
            .collect();
        let absent: Vec<Value> = self.absent.iter().map(|one| json!({"name": one.name, "why": one.why})).collect();
        let cells: Vec<Value> = self.played.iter().map(|one| self.cell_json(one)).collect();
        json!({
            "subjects": subjects,
            "absent": absent,
            "totals": {"passed": tally.passed, "expectedDefects": tally.defects, "without": tally.without, "failed": tally.failed},
            "cells": cells,
        })
    }

    fn cell_json(&self, one: &Played) -> Value {
        let mut cell = json!({
            "scenario": one.cell.scenario.name,
            "group": one.cell.scenario.group,
            "transport": one.cell.transport.as_str(),
            "server": self.subjects[one.cell.server].name,
            "client": self.subjects[one.cell.client].name,
            "verdict": one.verdict.word(),
            "milliseconds": one.took.as_millis() as u64,
        });
        if !one.verdict.detail().is_empty() {
            cell["detail"] = one.verdict.detail().into();
        }
        if let Verdict::Defect(defect, _) = &one.verdict {
            cell["fact"] = defect.fact.into();
        }
        cell
    }
}

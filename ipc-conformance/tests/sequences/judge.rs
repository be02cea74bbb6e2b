//! Puts the questions to our peer, and says what the answers are like.

use crate::answer::Answer;
use crate::compare::{Comparison, Differences};
use crate::deliberate::{Entry, entries};
use crate::play::play;
use crate::recorded::{Question, Recorded};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Mutex;

/// Scripts played at the same time. Most of their time is waiting.
const AT_A_TIME: usize = 2;

/// A preset of our peer, and the line of node-ipc that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    V9,
    V14Fast,
}

impl Preset {
    /// Whether a question that this version answered is one for the preset.
    fn is_for(self, version: &str) -> bool {
        version.starts_with("14.") == (self == Self::V14Fast)
    }

    /// The preset for one peer: of the version that the script says, or else this one.
    fn of(self, step: &Value) -> Self {
        match step["version"].as_str() {
            Some(version) if version.starts_with("14.") => Self::V14Fast,
            Some(_) => Self::V9,
            None => self,
        }
    }

    /// The options of a peer for one step of a script.
    fn options(self, step: &Value) -> Value {
        match (self.of(step), step["config"]["parser"].as_str()) {
            (Self::V9, _) => json!({"version": "9.2.1", "preset": "v9"}),
            (Self::V14Fast, Some(parser @ ("guarded" | "assured"))) => {
                json!({"version": "14.0.0", "preset": format!("v14_{parser}")})
            }
            (Self::V14Fast, _) => json!({"version": "14.0.0", "preset": "v14_fast"}),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::V9 { "v9" } else { "v14_fast" })
    }
}

/// What is to be said of one answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is the one of these versions.
    Like(BTreeSet<String>),
    /// It is unlike all of them, as `differences.json` says.
    Different,
    /// It is unlike all of them, but a version died of the question, and our peer did not.
    Survived,
    /// It was bad at first, and good twice when asked again.
    Unsteady(String),
    /// It is unlike all of them, or the peer died or hung.
    Bad(String),
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) preset: Preset,
    pub(crate) verdict: Verdict,
}

/// Puts all questions that are for them to all presets.
pub(crate) fn all(questions: &[Question], presets: &[Preset]) -> Vec<Outcome> {
    let entries = entries();
    let asked = presets.iter().flat_map(|preset| questions.iter().map(|question| (*preset, question)));
    let mut asked: Vec<_> = asked.filter(|(preset, it)| it.was_put_to(|version| preset.is_for(version))).collect();
    // The longest first, so that the last ones are short.
    asked.sort_by_key(|(_, question)| std::cmp::Reverse(question.sleeps()));
    let waiting = Mutex::new(VecDeque::from(asked));
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no panic while locked").pop_front();
                    let Some((preset, question)) = next else { return };
                    let entry = entries.iter().find(|entry| entry.covers(&question.id));
                    let verdict = ask(question, preset, entry);
                    let outcome = Outcome { id: question.id.clone(), preset, verdict };
                    outcomes.lock().expect("no panic while locked").push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no panic while locked");
    outcomes.sort_by(|one, two| (&one.id, one.preset as u8).cmp(&(&two.id, two.preset as u8)));
    outcomes
}

/// Asks once, and twice more if the answer is bad: a busy machine may be late, but not three times.
fn ask(question: &Question, preset: Preset, entry: Option<&Entry>) -> Verdict {
    let first = match ask_once(question, preset, entry) {
        Verdict::Bad(why) => why,
        good => return good,
    };
    for _ in 0..2 {
        if let Verdict::Bad(again) = ask_once(question, preset, entry) {
            return Verdict::Bad(again);
        }
    }
    Verdict::Unsteady(first)
}

fn ask_once(question: &Question, preset: Preset, entry: Option<&Entry>) -> Verdict {
    let script = &question.script;
    let played = play(script, |step| preset.options(step));
    if !played.trouble.is_empty() {
        return Verdict::Bad(played.trouble.join("\n"));
    }
    let given = Answer::of(&played.timeline, played.end);
    let quick = is_quick(script);
    let strictly = liking(question, &given, Comparison { quick, strict: true });
    if let Ok(like) = strictly {
        return Verdict::Like(like);
    }
    let loosely = liking(question, &given, Comparison { quick, strict: false });
    // An entry about the order of what different connections do excuses that order, and nothing else.
    let excused = |entry: &Entry| entry.holds(&given.shown()) && (loosely.is_ok() || !entry.is_about_chance());
    if entry.is_some_and(excused) {
        return Verdict::Different;
    }
    let mut unlike = match loosely {
        Ok(like) => return Verdict::Like(like),
        Err(unlike) => unlike,
    };
    let crashed = |recorded: &Recorded| Answer::recorded(&recorded.timeline, script).crashed;
    if question.answers.iter().any(crashed) {
        return Verdict::Survived;
    }
    if let Some(entry) = entry {
        unlike.insert("differences.json".into(), [("says".into(), format!("{entry:?}"))].into());
    }
    let unlike: Vec<String> = unlike.iter().map(|(version, parted)| format!("  {version}: {parted:#?}")).collect();
    Verdict::Bad(format!("{}\n{}\n  answer: {:#}", question.title, unlike.join("\n"), given.shown()))
}

/// The versions whose answer this is, or where it parts from each.
fn liking(
    question: &Question,
    given: &Answer,
    comparison: Comparison,
) -> Result<BTreeSet<String>, BTreeMap<String, Differences>> {
    let mut like = BTreeSet::new();
    let mut unlike = BTreeMap::new();
    for recorded in &question.answers {
        let expected = Answer::recorded(&recorded.timeline, &question.script);
        if expected.crashed {
            continue;
        }
        let differences = comparison.of(&expected, given);
        if differences.is_empty() {
            like.insert(recorded.version.clone());
        } else {
            unlike.insert(recorded.version.clone(), differences);
        }
    }
    if like.is_empty() { Err(unlike) } else { Ok(like) }
}

/// Whether the script retries more quickly than a count of cycles means anything.
fn is_quick(script: &[Value]) -> bool {
    let retries = script.iter().filter_map(|step| step["config"].get("retry"));
    retries.into_iter().any(|retry| retry.is_null() || retry.as_f64().is_some_and(|ms| ms <= 20.0))
}

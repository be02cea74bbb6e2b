//! The recorded scripts and answers, as read from `vectors/sequences`. What they mean is not known here.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A script, and what each version of node-ipc answered.
pub(crate) struct Question {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) script: Vec<Value>,
    pub(crate) answers: Vec<Recorded>,
}

/// One recorded answer. A version that was asked twice and did not say the same has two.
pub(crate) struct Recorded {
    pub(crate) version: String,
    pub(crate) timeline: Vec<Value>,
}

impl Question {
    /// How long its sleeps last altogether, in milliseconds.
    pub(crate) fn sleeps(&self) -> u64 {
        self.script.iter().filter_map(|step| step["sleep"].as_u64()).sum()
    }

    /// Whether a version of this line of node-ipc was asked.
    pub(crate) fn was_put_to(&self, version: impl Fn(&str) -> bool) -> bool {
        self.answers.iter().any(|answer| version(&answer.version))
    }
}

/// The folder of all recordings.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The JSON files of a folder, by name without `.json`.
fn files(folder: &Path) -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(folder).expect("the folder of recordings");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read(&path).expect("a recording");
        (name, serde_json::from_slice(&text).expect("JSON"))
    })
    .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().expect("a list").clone()
}

/// The questions of every theme, in order.
pub(crate) fn themes() -> BTreeMap<String, Vec<Question>> {
    let mut themes = BTreeMap::new();
    for (theme, file) in files(&folder().join("sequences")) {
        let mut questions: Vec<Question> = Vec::new();
        for vector in file["vectors"].as_array().expect("vectors") {
            let id = text(&vector["id"]);
            let at = questions.iter().position(|question| question.id == id).unwrap_or_else(|| {
                let (title, script) = (text(&vector["title"]), list(&vector["input"]["script"]));
                questions.push(Question { id: id.clone(), title, script, answers: Vec::new() });
                questions.len() - 1
            });
            for run in ["timeline", "second_run_timeline"] {
                let timeline = &vector["observed"][run];
                if timeline.is_array() {
                    let version = text(&vector["node_ipc"]);
                    let mut timeline = list(timeline);
                    if theme == "mixed-versions" {
                        timeline.iter_mut().for_each(sort_keys);
                    }
                    questions[at].answers.push(Recorded { version, timeline });
                }
            }
        }
        themes.insert(theme, questions);
    }
    themes
}

/// Puts the keys of a payload in the order of the alphabet: that is how a script of this theme is put, once it has been read
/// here. Elsewhere all payloads of several keys are text in the script, and keep the order that they have.
fn sort_keys(line: &mut Value) {
    if let Some(payload) = line["data_json"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        line["data_json"] = payload.to_string().into();
    }
}

/// The ids of all recorded questions of every kind.
pub(crate) fn all_ids() -> Vec<String> {
    let folders = [folder(), folder().join("sequences")];
    let files = folders.iter().flat_map(|folder| files(folder).into_values());
    let vectors = files.filter_map(|file| file["vectors"].as_array().cloned()).flatten();
    vectors.filter_map(|vector| vector["id"].as_str().map(str::to_owned)).collect()
}

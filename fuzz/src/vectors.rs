//! What was recorded of real node-ipc, as far as it serves as seeds: streams, frames, texts and their bytes.

use ipc_proto::Encoding;
use serde_json::Value;
use std::path::Path;

/// The longest that is taken for a seed, in bytes.
const LONGEST: usize = 512;

fn theme(name: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ipc-conformance/vectors");
    let path = folder.join(name).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut theme: Value = serde_json::from_str(&text).expect("a theme is JSON");
    match theme["vectors"].take() {
        Value::Array(vectors) => vectors,
        _ => panic!("{}: no vectors", path.display()),
    }
}

fn hex(value: &Value) -> Option<Vec<u8>> {
    let text = value["hex"].as_str()?;
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The chunks that were sent to node-ipc, put together: the themes of framing, envelopes and raw bytes.
pub fn streams() -> Vec<Vec<u8>> {
    let themes = [
        "inbound-framing",
        "inbound-json",
        "inbound-types",
        "inbound-utf8",
        "inbound-data-id",
        "inbound-delimiters",
        "inbound-v14-guarded",
        "inbound-v14-assured",
        "inbound-raw",
    ];
    let stream = |vector: &Value| {
        let chunks = vector["input"]["chunks"].as_array()?;
        let chunks: Option<Vec<_>> = chunks.iter().map(hex).collect();
        Some(chunks?.concat()).filter(|stream| stream.len() <= LONGEST && !stream.is_empty())
    };
    let mut streams: Vec<_> = themes.iter().flat_map(|name| theme(name)).filter_map(|vector| stream(&vector)).collect();
    streams.sort();
    streams.dedup();
    streams
}

/// Texts that real node-ipc made bytes of on a raw connection, as UTF-16, and the bytes.
pub fn raw_texts() -> Vec<(Encoding, Vec<u16>, Vec<u8>)> {
    let mut texts = Vec::new();
    for vector in theme("outbound-raw") {
        let Some(encoding) = vector["config"]["encoding"].as_str().and_then(|name| name.parse::<Encoding>().ok())
        else {
            continue;
        };
        let text = &vector["input"]["type"];
        let units = match (text.as_str(), text["$t"].as_str()) {
            (Some(text), _) => text.encode_utf16().collect(),
            (None, Some("utf16")) => text["units"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_u64)
                .map(|unit| unit as u16)
                .collect(),
            _ => continue,
        };
        if vector["input"]["data_argument"] == "absent" {
            texts.extend(hex(&vector["observed"]["wire"]).map(|bytes| (encoding, units, bytes)));
        }
    }
    texts.sort_by(|one, other| (one.0.as_str(), &one.1).cmp(&(other.0.as_str(), &other.1)));
    texts.dedup();
    texts
}

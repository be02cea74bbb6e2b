//! The recordings of real node-ipc that targets compare with and seeds are made of, compiled in.

use std::sync::LazyLock;

use ipc_proto::Encoding;
use serde_json::Value;

macro_rules! themes {
    ($($name:literal),* $(,)?) => {
        /// Every recorded theme that is used here, by its name, as JSON text.
        pub(crate) const THEMES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../ipc-conformance/vectors/", $name, ".json")))),*];
    };
}

themes![
    "inbound-data-id",
    "inbound-delimiters",
    "inbound-framing",
    "inbound-json",
    "inbound-raw",
    "inbound-types",
    "inbound-utf8",
    "inbound-v14-guarded",
    "outbound-raw",
];

/// The vectors of a theme.
pub(crate) fn vectors(theme: &str) -> Vec<Value> {
    let (_, text) = THEMES.iter().find(|(name, _)| *name == theme).expect("a theme that is compiled in");
    let mut theme: Value = serde_json::from_str(text).expect("a theme is JSON");
    let Value::Array(vectors) = theme["vectors"].take() else { panic!("no vectors") };
    vectors
}

/// `{"hex":…}`; `None` for long ones, of which only a part is kept.
pub(crate) fn bytes(value: &Value) -> Option<Vec<u8>> {
    let hex = value["hex"].as_str()?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// The chunks that a vector sends, if all of them are kept.
pub(crate) fn chunks(vector: &Value) -> Option<Vec<Vec<u8>>> {
    vector["input"]["chunks"].as_array()?.iter().map(bytes).collect()
}

/// A text as UTF-16 units, what encoding node-ipc was set to, and the bytes it wrote for it.
pub(crate) struct Written {
    pub(crate) encoding: Encoding,
    pub(crate) units: Vec<u16>,
    pub(crate) wire: Vec<u8>,
}

/// What node-ipc wrote on raw connections.
pub(crate) static WRITTEN: LazyLock<Vec<Written>> = LazyLock::new(|| {
    let written = |vector: Value| {
        let encoding = vector["config"]["encoding"].as_str()?.parse().ok()?;
        let said = &vector["input"]["type"];
        let units = match said["units"].as_array() {
            Some(units) => units.iter().map(|unit| u16::try_from(unit.as_u64()?).ok()).collect::<Option<_>>()?,
            None => said.as_str()?.encode_utf16().collect(),
        };
        Some(Written { encoding, units, wire: bytes(&vector["observed"]["wire"])? })
    };
    vectors("outbound-raw").into_iter().filter_map(written).collect()
});

/// Bytes that were sent to a node-ipc 9.2.1 or 12.0.0, which decodes and encodes them again, and what came out.
pub(crate) struct Read {
    pub(crate) encoding: Encoding,
    pub(crate) wire: Vec<u8>,
    pub(crate) came: Vec<u8>,
}

/// What those made of raw bytes.
pub(crate) static READ: LazyLock<Vec<Read>> = LazyLock::new(|| {
    let read = |vector: Value| {
        if vector["node_ipc"].as_str()?.starts_with("14") {
            return None;
        }
        let encoding = vector["config"]["encoding"].as_str()?.parse().ok()?;
        let observed = &vector["observed"];
        let events = ["events", "after_peer_ended"].into_iter().filter_map(|part| observed[part].as_array()).flatten();
        let data = events.filter(|event| event["type"] == "data").map(|event| bytes(&event["args"][0]));
        let came = data.collect::<Option<Vec<_>>>()?.concat();
        Some(Read { encoding, wire: chunks(&vector)?.concat(), came })
    };
    vectors("inbound-raw").into_iter().filter_map(read).collect()
});

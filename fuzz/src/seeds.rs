//! The inputs that fuzzing starts from, made of the recordings and of a little random input for the targets that read operations.

use crate::{config, decode, envelope, raw_encodings, setup, vectors};
use ipc_proto::{Config, SplitMix64};
use std::collections::BTreeMap;

/// Named inputs of a target.
pub type Seeds = BTreeMap<String, Vec<u8>>;

/// The seeds of every target.
pub fn all() -> BTreeMap<&'static str, Seeds> {
    let mut seeds = BTreeMap::from(crate::TARGETS.map(|(target, _)| (target, Seeds::new())));
    let mut add = |target: &str, input: Vec<u8>| {
        let seeds = seeds.get_mut(target).expect("a target");
        seeds.insert(format!("seed-{:04}", seeds.len()), input);
    };
    for (place, stream) in vectors::streams().into_iter().enumerate() {
        // Choices that take turns.
        let number = place as u8;
        let raw = setup::PRESETS - 1;
        let preset = if number.is_multiple_of(9) { raw } else { number % raw };
        // The recordings use a form feed; a delimiter of several bytes can be cut.
        let which = if number.is_multiple_of(2) { 0 } else { number };
        let delimited = replace(&stream, b'\x0c', setup::delimiter(which).as_bytes());
        add("decode", decode::seed(which, preset, 4096, number.into(), &delimited));
        let frame = stream.strip_suffix(b"\x0c").unwrap_or(&stream);
        add("envelope", envelope::seed(number, number / 3, frame));
    }
    for (encoding, units, _) in vectors::raw_texts() {
        if units.len() <= 100 {
            add("raw_encodings", raw_encodings::seed(encoding, &units));
        }
    }
    for (preset, text) in configurations() {
        add("config", config::seed(preset, &text));
    }
    for target in ["encode_decode", "client", "server", "datagrams"] {
        let mut random = SplitMix64::new(1);
        for length in [16, 40, 100, 250, 600] {
            for _ in 0..6 {
                let bytes = (0..length).map(|_| random.next_u64().to_le_bytes()[0]).collect();
                add(target, bytes);
            }
        }
    }
    seeds
}

/// Every option by itself, every preset whole.
fn configurations() -> Vec<(u8, String)> {
    let mut texts = Vec::new();
    for preset in 0..setup::PRESETS {
        let config: Config = setup::config(preset);
        let text = serde_json::to_string(&config).expect("a configuration can be written");
        let options: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("an object");
        if preset == 0 {
            texts.extend(options.iter().map(|(name, value)| (0, serde_json::json!({ name: value }).to_string())));
        }
        texts.push((preset, text));
    }
    texts.push((
        0,
        r#"{"interfaces":{"localAddress":"127.0.0.1","localPort":1,"family":4,"hints":0,"lookup":false}}"#.into(),
    ));
    texts.push((
        0,
        r#"{"tls":{"public":"a.crt","private":"a.key","trustedConnections":["b.crt"],"rejectUnauthorized":false}}"#
            .into(),
    ));
    texts
}

fn replace(bytes: &[u8], byte: u8, by: &[u8]) -> Vec<u8> {
    bytes.split(|one| *one == byte).collect::<Vec<_>>().join(by)
}

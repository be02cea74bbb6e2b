//! Any text as a configuration: what is taken can be written down and read back, what is not is explained.
//!
//! Input: preset (as the one to read over), and the text.

use crate::setup;
use ipc_proto::{Config, Endpoint, Host, Platform};

/// Makes an input of a text.
pub fn seed(preset: u8, text: &str) -> Vec<u8> {
    [&[preset][..], text.as_bytes()].concat()
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Some((&preset, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    for read in [Config::from_json(text), setup::config(preset).with_json(text)] {
        match read {
            Ok(config) => examine(config),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn examine(config: Config) {
    let written = serde_json::to_string(&config).expect("a configuration can be written");
    let again = Config::from_json(&written).expect("what was written can be read");
    assert_eq!(again, config, "{written}");
    for platform in [Platform::Linux, Platform::Windows] {
        let host = Host::new("pluto", platform);
        match config.clone().build(&host) {
            Ok(settings) => {
                // Whatever was let through, an endpoint is one or says why not, and a frame can be made.
                for endpoint in [
                    Endpoint::local(&settings, None),
                    Endpoint::net(&settings, None, None),
                    Endpoint::udp4(&settings, None, None),
                    Endpoint::udp6(&settings, None, None),
                ] {
                    match endpoint {
                        Ok(endpoint) => assert!(!endpoint.to_string().is_empty()),
                        Err(error) => assert!(!error.to_string().is_empty()),
                    }
                }
                let mut out = Vec::new();
                let _refused = settings.encoder().encode("m", &1, &mut out);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

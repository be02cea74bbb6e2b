//! `Config` from JSON, TOML and the environment.
//!
//! # Options from a file or the environment
//!
//! [`Config`] is read by serde, with node-ipc's own names, from JSON ([`Config::from_json`]) and from any format that says what is
//! in it, such as TOML; [`config_from_env`] reads variables such as `IPC_MAX_RETRIES`. A name that is no option is an error with
//! the nearest one that is, and a wrong value is told what is allowed.
//!
//! ```
//! use ipc_tokio::Config;
//! use std::time::Duration;
//!
//! let config: Config = toml::from_str("id = 'world'\nretry = 1500\n[tls]\nca = 'pem'")?;
//! assert_eq!(config.retry, Duration::from_millis(1500));
//!
//! let error = toml::from_str::<Config>("maxRetrys = 3").unwrap_err();
//! assert!(error.message().contains("there is no option \"maxRetrys\"; did you mean \"maxRetries\"?"));
//!
//! let config = ipc_tokio::config_from_env("CHAT_IPC_")?; // CHAT_IPC_ID=world, CHAT_IPC_TLS_TRUSTED_CONNECTIONS=ca.pem
//! # drop(config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[allow(unused_imports, reason = "for the links")]
use crate::*;

//! Two network namespaces with a wire between them that can be cut. Only root can make them.

use crate::needs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Networks made by this process so far.
static MADE: AtomicU32 = AtomicU32::new(0);

/// Two hosts, `near` (10.77.0.1) and `far` (10.77.0.2), and the wire between them. Removed when it is dropped.
#[derive(Debug)]
pub struct Wire {
    near: String,
    far: String,
}

/// Where the far host is.
pub const FAR: &str = "10.77.0.2";

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr)))
}

impl Wire {
    /// Makes both; `None`, said loudly, where this machine does not allow it.
    #[must_use]
    pub fn lay(what: &str) -> Option<Self> {
        if !needs::root_and(&["ip"], what) {
            return None;
        }
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let name = |side: &str| format!("ipc{side}{}x{number}", std::process::id());
        let wire = Self { near: name("n"), far: name("f") };
        match wire.set_up() {
            Ok(()) => Some(wire),
            Err(error) => {
                needs::not_here(format_args!("{what}: root may not make networks here ({error})"));
                None
            }
        }
    }

    fn set_up(&self) -> Result<(), String> {
        let (near, far) = (self.near.as_str(), self.far.as_str());
        ip(&["netns", "add", near])?;
        ip(&["netns", "add", far])?;
        // Both ends are made inside, so that no name of the machine's own network is taken.
        ip(&["-n", near, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", far])?;
        for (side, address) in [(near, "10.77.0.1/24"), (far, "10.77.0.2/24")] {
            ip(&["-n", side, "addr", "add", address, "dev", "wire"])?;
            ip(&["-n", side, "link", "set", "wire", "up"])?;
            ip(&["-n", side, "link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    /// The command that runs another on the near host.
    #[must_use]
    pub fn near(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.near]
    }

    /// The command that runs another on the far host.
    #[must_use]
    pub fn far(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.far]
    }

    /// Cuts the wire at the far host, or mends it. Nobody is told.
    ///
    /// # Panics
    ///
    /// If it cannot be done.
    pub fn set_up_far(&self, up: bool) {
        ip(&["-n", &self.far, "link", "set", "wire", if up { "up" } else { "down" }]).expect("the link is set");
    }

    /// Takes the near host's address away, or gives it back.
    ///
    /// # Panics
    ///
    /// If it cannot be done.
    pub fn set_near_address(&self, there: bool) {
        let verb = if there { "add" } else { "del" };
        ip(&["-n", &self.near, "addr", verb, "10.77.0.1/24", "dev", "wire"]).expect("the address is set");
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for side in [&self.near, &self.far] {
            // One that was never made.
            let _gone = ip(&["netns", "del", side]);
        }
    }
}

//! A server that is restarted again and again under clients that never stop emitting, and an account of every event.
//!
//! Clients number what they emit, anew on every connection; the server writes down what is delivered before it does anything else. A server
//! that ends in order loses nothing: on each of its connections what was delivered and what the client was told is unsent are what
//! was accepted. One that is killed loses what was on the way, and nothing else: what was delivered is a beginning of what was emitted,
//! without a gap, and what is missing is no more than the buffers between the two hold.

mod fleet;

use crate::child::Plan;
use crate::numbers::read_record;
use crate::watch::until;
use fleet::{Connection, Fleet};
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// What the sockets and the server's read buffer between two processes can hold, in bytes, generously: twice 208 KiB for a Unix
/// socket, and over TCP besides as much as the system lets the buffers of both ends grow to.
fn on_the_way(tcp: bool) -> u64 {
    const ALWAYS: u64 = 8 * 1024 * 1024;
    let most = |option: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{option}")).unwrap_or_default();
        text.split_whitespace().last().and_then(|most| most.parse().ok()).unwrap_or(ALWAYS)
    };
    ALWAYS + if tcp { most("tcp_rmem") + most("tcp_wmem") } else { 0 }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Restarts {
    /// The program `ipc-torture`.
    pub program: PathBuf,
    /// A folder for sockets and records.
    pub folder: PathBuf,
    /// Over TCP instead of a Unix socket.
    pub tcp: bool,
    /// How many clients there are.
    pub clients: usize,
    /// How often the server ends: by turns killed and in order.
    pub restarts: usize,
    /// Ends it as soon as the first client is there, while the others still come.
    pub early: bool,
}

/// What became of all events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Connections that clients had.
    pub connections: u64,
    /// Events that `emit` accepted.
    pub accepted: u64,
    /// Events whose handler ran.
    pub delivered: u64,
    /// Events that clients were told are unsent.
    pub unsent: u64,
    /// Events lost between a client and a server that was killed.
    pub on_the_way: u64,
    /// Connections that ended, in order, before the server had taken them out of the backlog, and their events.
    pub never_taken: (u64, u64),
}

/// How one server ended.
enum End {
    /// With so many bytes of a connection on their way at most.
    Killed(u64),
    /// With how many connections it says it had.
    InOrder(u64),
}

impl Restarts {
    /// Does it.
    ///
    /// # Errors
    ///
    /// The first event that is not accounted for.
    pub fn run(&self) -> Result<Account, String> {
        let mut endpoint = if self.tcp {
            "tcp:127.0.0.1:0".to_owned()
        } else {
            format!("unix:{}", self.folder.join("restarted").display())
        };
        let mut fleet: Option<Fleet> = None;
        let mut account = Account::default();
        for round in 0..=self.restarts {
            let record = self.folder.join(format!("record.{round}"));
            let plan = Plan::new(&self.program, "server", &endpoint)
                .config(json!({"maxConnections": self.clients * 2}))
                // Slower than the clients, but not so slow that it could not read what all of them have sent in time.
                .option("rest_every", self.clients)
                .option("record", record.display().to_string());
            if let Some(fleet) = &fleet {
                fleet.epoch(round as u64);
            }
            let mut server = plan.try_start().map_err(|error| format!("round {round}: {error}"))?;
            endpoint.clone_from(&server.endpoint);
            let fleet = fleet.get_or_insert_with(|| Fleet::start(&endpoint, self.clients));
            let expected = if self.early { 1 } else { self.clients };
            if !until(|| fleet.connected() >= expected) {
                return Err(format!("round {round}: {} of {} came back", fleet.connected(), self.clients));
            }
            // At another moment each time.
            let moment = if self.early { round as u64 % 3 } else { 20 + 37 * (round as u64 % 5) };
            std::thread::sleep(Duration::from_millis(moment));
            let end = if round == self.restarts {
                fleet.close();
                End::InOrder(shut_down(&mut server, round)?)
            } else if round % 2 == 0 {
                if round % 4 == 0 && !self.early {
                    // It stands still first, until sockets and queues are full.
                    server.watched().stop().map_err(|error| error.to_string())?;
                    fleet.stuck();
                }
                server.kill();
                End::Killed(on_the_way(self.tcp))
            } else {
                End::InOrder(shut_down(&mut server, round)?)
            };
            if !until(|| fleet.connected() == 0) {
                return Err(format!("round {round}: {} do not notice the end", fleet.connected()));
            }
            drop(server);
            let text = fs::read_to_string(&record).map_err(|error| format!("{}: {error}", record.display()))?;
            let delivered = read_record(&text).map_err(|error| format!("round {round}: {error}"))?;
            account
                .add(&fleet.take(round as u64), delivered, &end)
                .map_err(|error| format!("round {round}: {error}"))?;
            fs::remove_file(&record).map_err(|error| error.to_string())?;
        }
        Ok(account)
    }
}

/// Ends a server in order; how many connections it had.
fn shut_down(server: &mut crate::child::Child, round: usize) -> Result<u64, String> {
    let command = json!({"cmd": "shutdown", "within_ms": 20_000});
    let report = server.command_within(command, Duration::from_secs(25));
    let report = report.map_err(|error| format!("round {round}: {error}"))?;
    if report["cut"] != 0 || report["unsent"] != 0 {
        return Err(format!("round {round}: a shutdown with time enough says {report}"));
    }
    Ok(server.count("connected"))
}

impl Account {
    fn add(
        &mut self,
        connections: &[Connection],
        mut delivered: HashMap<(u64, u64), u64>,
        end: &End,
    ) -> Result<(), String> {
        let mut silent = (0, 0);
        for connection in connections {
            let Connection { client, number, accepted, unsent, size, .. } = *connection;
            let came = delivered.remove(&(client, number)).unwrap_or(0);
            let Some(missing) = accepted.checked_sub(came + unsent) else {
                return Err(format!("{connection:?}: more came than was emitted: {came}"));
            };
            self.connections += 1;
            self.accepted += accepted;
            self.delivered += came;
            self.unsent += unsent;
            match end {
                End::Killed(most) if missing * size > *most => {
                    return Err(format!("{connection:?}: {came} came, and {missing} are more than can be on the way"));
                }
                End::Killed(_) => self.on_the_way += missing,
                End::InOrder(_) if missing > 0 && came > 0 => {
                    return Err(format!("{connection:?}: {came} came, and {missing} are lost without a word"));
                }
                End::InOrder(_) if missing > 0 => silent = (silent.0 + 1, silent.1 + missing),
                End::InOrder(_) => {}
            }
        }
        if !delivered.is_empty() {
            return Err(format!("came from connections that no client had: {delivered:?}"));
        }
        if let End::InOrder(taken) = end {
            // What a server has never seen it cannot account for, nor read.
            let never_taken = connections.len() as u64 - (*taken).min(connections.len() as u64);
            if silent.0 > never_taken {
                return Err(format!(
                    "{silent:?} connections and events are lost, and {never_taken} were never accepted"
                ));
            }
            self.never_taken = (self.never_taken.0 + silent.0, self.never_taken.1 + silent.1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(accepted: u64, unsent: u64) -> Connection {
        Connection { client: 1, number: 0, epoch: 0, accepted, unsent, size: 10, over: true }
    }

    fn account(connection: Connection, came: u64, end: &End) -> Result<(), String> {
        Account::default().add(&[connection], HashMap::from([((1, 0), came)]), end)
    }

    #[test]
    fn an_event_that_is_lost_in_silence_by_an_end_in_order_is_refused() {
        account(connection(10, 4), 6, &End::InOrder(1)).unwrap();
        account(connection(10, 4), 5, &End::InOrder(1)).unwrap_err();
        account(connection(10, 4), 7, &End::InOrder(1)).unwrap_err();
        account(connection(10, 4), 0, &End::InOrder(1)).unwrap_err();
    }

    #[test]
    fn a_kill_may_lose_what_is_on_the_way_and_no_more() {
        let killed = End::Killed(on_the_way(false));
        account(connection(10, 4), 5, &killed).unwrap();
        account(connection(10, 4), 7, &killed).unwrap_err();
        account(connection(on_the_way(false), 4), 7, &killed).unwrap_err();
        assert!(on_the_way(true) > on_the_way(false));
    }
}

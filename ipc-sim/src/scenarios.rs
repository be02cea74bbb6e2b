//! The built-in scenarios: from a calm network to everything at once.

use std::time::Duration;

use ipc_proto::{Backoff, Config, Offline, OnMalformed, SlowConsumer, StopRetrying};

use crate::network::Wire;
use crate::scenario::{Deployment, Faults, Scenario, Traffic};

/// The names that the traffic uses.
pub(crate) const NAMES: [&str; 2] = ["message", "status"];

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn every(milliseconds: u64) -> Option<Duration> {
    Some(ms(milliseconds))
}

/// Retries soon, so that much happens in a short time.
fn quick(config: Config) -> Config {
    config.retry(ms(40))
}

fn policies(config: &Config) -> Vec<Config> {
    let policy = |offline| config.clone().offline(offline);
    vec![policy(Offline::Refuse), policy(Offline::Buffer), policy(Offline::Drop)]
}

fn all_of(pairs: &[(Config, Vec<Config>)]) -> Vec<Deployment> {
    // Each is checked by a test below.
    pairs.iter().filter_map(|(server, clients)| Deployment::new(server, clients).ok()).collect()
}

/// One configuration for both sides, with each offline policy.
fn alike(configs: &[Config]) -> Vec<Deployment> {
    let pairs: Vec<_> = configs.iter().map(|config| (config.clone(), policies(config))).collect();
    all_of(&pairs)
}

fn bumpy() -> Wire {
    Wire { split: 0.7, short: 0.5, buffer: 64..=2048, ..Wire::default() }
}

fn backoff() -> Backoff {
    Backoff::Exponential { factor: 2.0, max: ms(700), jitter: 0.5 }
}

fn modes() -> Vec<Config> {
    let v9 = quick(Config::v9());
    vec![
        v9.clone(),
        quick(Config::v14_fast()),
        quick(Config::v14_guarded()),
        quick(Config::v14_assured(NAMES)),
        v9.clone().delimiter("\n"),
        v9.clone().delimiter("||"),
        v9.clone().delimiter("<EOM>"),
        v9.clone().delimiter("€"),
        v9.raw_buffer(true),
    ]
}

impl Scenario {
    /// All built-in scenarios.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let all = [
            calm(),
            bumps(),
            cuts(),
            half_open(),
            restarts(),
            giving_up(),
            sync(),
            raw(),
            crowd(),
            slow(),
            answers(),
            policies_of_queues(),
            large(),
            vandals(),
            strangers(),
            leaps(),
            everything(),
        ];
        all.into_iter().map(|scenario| Self { built_in: true, ..scenario }).collect()
    }
}

fn scenario(name: &str, about: &'static str, deployments: Vec<Deployment>) -> Scenario {
    Scenario { about, deployments, ..Scenario::new(name) }
}

fn calm() -> Scenario {
    scenario("calm", "nothing goes wrong, in every mode", alike(&modes()))
}

fn bumps() -> Scenario {
    let about = "tiny buffers, short writes, every message in pieces, in every mode";
    Scenario { wire: bumpy(), ..scenario("bumps", about, alike(&modes())) }
}

fn cuts() -> Scenario {
    let faults = Faults { cut: every(150), dismiss: every(600), ..Faults::default() };
    Scenario {
        faults,
        wire: bumpy(),
        ..scenario("cuts", "connections are cut in the middle of a message", alike(&modes()))
    }
}

fn half_open() -> Scenario {
    let faults = Faults { half_open: every(250), ..Faults::default() };
    let about = "connections are cut, and one side or both do not notice";
    let wire = Wire { unanswered: 0.2, refuse: 0.2, ..Wire::default() };
    Scenario { faults, wire, ..scenario("half-open", about, alike(&modes())) }
}

fn restarts() -> Scenario {
    let faults = Faults { stop: every(500), crash: every(700), ..Faults::default() };
    let v9 = quick(Config::v9());
    let deployments = alike(&[v9.clone(), v9.backoff(backoff()), quick(Config::v14_guarded())]);
    Scenario { faults, servers: 1..=2, ..scenario("restarts", "servers stop, crash and come back", deployments) }
}

fn giving_up() -> Scenario {
    let about = "few retries, stopRetrying, changes of both, and clients that are told to end";
    let v9 = quick(Config::v9());
    let mut clients = Vec::new();
    for offline in [Offline::Refuse, Offline::Buffer, Offline::Drop] {
        for retries in [0, 1, 2, 5] {
            let client = v9.clone().offline(offline).max_retries(retries);
            clients.push(client.clone().stop_retrying(StopRetrying::After(3)).backoff(backoff()));
            clients.push(client);
        }
        clients.push(v9.clone().offline(offline).stop_retrying(StopRetrying::Yes));
        clients.push(v9.clone().offline(offline).stop_retrying(StopRetrying::After(2)));
    }
    let faults = Faults {
        cut: every(500),
        stop: every(600),
        down_for: ms(10)..=ms(300),
        disconnect: every(1500),
        change: every(400),
        ..Faults::default()
    };
    let wire = Wire { refuse: 0.3, ..Wire::default() };
    Scenario { faults, wire, ..scenario("giving-up", about, all_of(&[(v9, clients)])) }
}

fn sync() -> Scenario {
    let faults = Faults { cut: every(250), half_open: every(900), dismiss: every(700), ..Faults::default() };
    let v9 = quick(Config::v9()).sync(true);
    let deployments = alike(&[v9.clone(), v9.clone().raw_buffer(true), v9.delimiter("||").max_pending_bytes(6000)]);
    Scenario { faults, wire: bumpy(), ..scenario("sync", "one message at a time, over cuts", deployments) }
}

fn raw() -> Scenario {
    let faults = Faults { cut: every(200), crash: every(900), ..Faults::default() };
    let v9 = quick(Config::v9()).raw_buffer(true);
    let deployments = alike(&[v9.clone(), v9.max_pending_bytes(5000).max_offline_bytes(3000)]);
    Scenario { faults, wire: bumpy(), ..scenario("raw", "bytes without borders, over cuts and crashes", deployments) }
}

fn crowd() -> Scenario {
    let faults = Faults { cut: every(400), stop: every(1500), ..Faults::default() };
    let v9 = Config::v9().retry(ms(250));
    let server = v9.clone().max_connections(3);
    let deployments = all_of(&[(server, policies(&v9)), (v9.clone().max_connections(1), policies(&v9))]);
    Scenario { faults, clients: 3..=6, ..scenario("crowd", "more clients than maxConnections", deployments) }
}

fn slow() -> Scenario {
    let about = "readers that stop reading, and queues that are soon full";
    let faults = Faults { cut: every(700), ..Faults::default() };
    let v9 = quick(Config::v9()).max_pending_bytes(5000).max_offline_bytes(2500);
    let guarded = quick(Config::v14_guarded()).max_pending_bytes(5000).message_timeout(ms(150));
    let wire = Wire { stall: 0.5, buffer: 256..=4096, ..Wire::default() };
    let traffic = Traffic { client_every: ms(2)..=ms(20), ..Traffic::default() };
    Scenario { faults, wire, traffic, ..scenario("slow", about, alike(&[v9, guarded])) }
}

fn answers() -> Scenario {
    let about = "both sides answer what they get, faster than either reads";
    let v9 = quick(Config::v9()).max_pending_bytes(2000).max_offline_bytes(2000);
    let guarded = quick(Config::v14_guarded()).max_pending_bytes(2000);
    let wire = Wire { stall: 0.3, buffer: 128..=1024, ..Wire::default() };
    let traffic = Traffic {
        client_every: ms(2)..=ms(20),
        server_every: ms(2)..=ms(20),
        answers: 0.9,
        client_answers: 0.9,
        ..Traffic::default()
    };
    Scenario { wire, traffic, clients: 1..=2, ..scenario("answers", about, alike(&[v9, guarded])) }
}

fn policies_of_queues() -> Scenario {
    let about = "readers that stop reading, and every policy for what they do not take";
    let faults = Faults { cut: every(700), crash: every(1500), ..Faults::default() };
    let v9 = quick(Config::v9()).max_pending_bytes(4000).max_offline_bytes(2000);
    let drops = [SlowConsumer::DropOldest, SlowConsumer::DropNewest];
    let mut configs: Vec<Config> = drops.into_iter().map(|policy| v9.clone().slow_consumer(policy)).collect();
    configs.extend(drops.map(|policy| v9.clone().slow_consumer(policy).sync(true)));
    configs.push(v9.clone().slow_consumer(SlowConsumer::DropOldest).delimiter("<EOM>"));
    let ends = v9.slow_consumer(SlowConsumer::Disconnect);
    configs.extend([ends.clone(), ends.clone().sync(true), ends.raw_buffer(true)]);
    let wire = Wire { stall: 0.5, buffer: 256..=4096, split: 0.5, short: 0.3, ..Wire::default() };
    let traffic = Traffic { client_every: ms(2)..=ms(20), server_every: ms(5)..=ms(50), ..Traffic::default() };
    Scenario { faults, wire, traffic, ..scenario("policies", about, alike(&configs)) }
}

fn large() -> Scenario {
    let about = "messages that are larger than any buffer, over cuts and pauses, with messageTimeout";
    let faults = Faults { cut: every(600), ..Faults::default() };
    let v9 = quick(Config::v9()).message_timeout(ms(400));
    let traffic = Traffic {
        client_every: ms(20)..=ms(150),
        server_every: ms(50)..=ms(300),
        size: 0..=60_000,
        ..Traffic::default()
    };
    let wire = Wire { stall: 0.05, ..Wire::default() };
    let deployments = alike(&[v9.clone(), v9.clone().delimiter("<EOM>"), v9.max_pending_bytes(100_000)]);
    Scenario { faults, wire, traffic, clients: 1..=3, ..scenario("large", about, deployments) }
}

fn vandals() -> Scenario {
    let about = "peers that send garbage, half messages, and far too much";
    let v9 = quick(Config::v9()).max_message_size(4000).max_pending_bytes(20_000).message_timeout(ms(200));
    let closes = v9.clone().malformed(OnMalformed::Close).max_connections(6);
    let guarded = quick(Config::v14_guarded()).max_message_size(4000).message_timeout(ms(200));
    let deployments = alike(&[v9, closes, guarded]);
    Scenario { vandals: 1..=3, wire: bumpy(), ..scenario("vandals", about, deployments) }
}

fn strangers() -> Scenario {
    let about = "two sides with other rules and limits";
    let v9 = quick(Config::v9());
    let picky = v9.clone().allowed_events(["message"]);
    let closes = picky.clone().malformed(OnMalformed::Close);
    let small = v9.clone().max_message_size(700);
    let hasty = v9.clone().message_timeout(ms(3));
    let clients = vec![v9.clone(), picky, closes, small, hasty];
    let server = v9.clone().max_message_size(900);
    let deployments = all_of(&[(v9.clone(), clients.clone()), (server, clients)]);
    let faults = Faults { cut: every(800), ..Faults::default() };
    Scenario { faults, wire: bumpy(), ..scenario("strangers", about, deployments) }
}

fn leaps() -> Scenario {
    let faults = Faults { leap: every(300), cut: every(500), crash: every(1500), ..Faults::default() };
    let v9 = quick(Config::v9()).backoff(backoff());
    let guarded = quick(Config::v14_guarded()).message_timeout(ms(500));
    Scenario { faults, wire: bumpy(), ..scenario("leaps", "time leaps forward, over cuts", alike(&[v9, guarded])) }
}

fn everything() -> Scenario {
    let faults = Faults {
        cut: every(400),
        half_open: every(700),
        stop: every(1200),
        crash: every(1500),
        leap: every(2000),
        disconnect: every(3000),
        change: every(2500),
        dismiss: every(1500),
        ..Faults::default()
    };
    let configs: Vec<Config> = modes()
        .into_iter()
        .map(|config| config.max_pending_bytes(20_000).max_offline_bytes(6000).max_connections(5).backoff(backoff()))
        .collect();
    let mut deployments = alike(&configs);
    let sync: Vec<Config> = configs.iter().map(|config| config.clone().sync(true)).collect();
    deployments.extend(alike(&sync));
    let wire = Wire {
        stall: 0.1,
        refuse: 0.1,
        unanswered: 0.05,
        split: 0.5,
        short: 0.3,
        buffer: 128..=8192,
        ..Wire::default()
    };
    Scenario {
        faults,
        wire,
        servers: 1..=2,
        vandals: 0..=1,
        ..scenario("everything", "all of it at once, in every mode", deployments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_is_valid_and_every_name_is_one_scenario() {
        let all = Scenario::all();
        for (scenario, deployments) in all.iter().zip([9, 9, 9, 9, 3, 1, 3, 2, 2, 2, 2, 8, 3, 3, 2, 2, 18]) {
            assert_eq!(scenario.deployments.len(), deployments, "{}", scenario.name);
            assert!(!scenario.about.is_empty());
            assert_eq!(all.iter().filter(|other| other.name == scenario.name).count(), 1);
        }
    }
}

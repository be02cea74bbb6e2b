//! A protocol of one's own on a network that misbehaves: a counter that must never miss a step, and a stranger with raw streams.
//!
//! The server is an app that keeps a counter; clients ask it to add one and ask again when a connection was lost. The invariant of
//! this program: the counter counts each wish once, however often it is asked. The stranger is a node without `ipc-proto`: it
//! speaks to the server in bytes, and hangs up in the middle of a message. The program checks itself.

#![allow(clippy::print_stdout, reason = "a program, not a library")]

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use ipc_proto::{Config, Endpoint, Host, Message, Platform};
use ipc_sim::{App, ClientNode, Context, Control, Happening, Input, Node, Peer, ServerNode, Wire, World};

const WISHES: u64 = 50;
const CLIENTS: u64 = 3;

/// Counts each wish once.
#[derive(Default)]
struct Counter {
    seen: BTreeSet<(u64, u64)>,
    asked: u64,
}

impl App for Counter {
    fn handle(&mut self, what: Happening<'_>, control: &mut Control<'_, '_>) {
        let Happening::Event(peer, event) = what else { return };
        let Ok((client, wish)) = event.data::<(u64, u64)>() else { return };
        self.asked += 1;
        self.seen.insert((client, wish));
        // An invariant of this program, beside those of the simulation: no client wishes ahead of itself.
        if wish > 0 && !self.seen.contains(&(client, wish - 1)) {
            control.context().fail(format!("wish {wish} of client {client} came before the one before it"));
        }
        if let Ok(done) = Message::new("done", &wish) {
            // If its queue is full the client asks again.
            let _refused = control.emit(peer, &done);
        }
    }
}

/// Makes one wish after the other; asks again after a lost connection, and when no answer comes.
struct Wisher {
    number: u64,
    wish: u64,
    ask_again: Option<Instant>,
}

impl Wisher {
    fn ask(&mut self, control: &mut Control<'_, '_>) {
        self.ask_again = (self.wish < WISHES).then(|| control.now() + Duration::from_millis(200));
        if let (true, Ok(wish)) = (self.wish < WISHES, Message::new("wish", &(self.number, self.wish))) {
            // Offline it is refused, and asked again later.
            let _refused = control.emit(Peer::SERVER, &wish);
        }
    }
}

impl App for Wisher {
    fn handle(&mut self, what: Happening<'_>, control: &mut Control<'_, '_>) {
        match what {
            Happening::Event(_, event) if event.data::<u64>().is_ok_and(|wish| wish == self.wish) => self.wish += 1,
            Happening::Connected(_) | Happening::Timeout => {}
            _ => return,
        }
        self.ask(control);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ask_again
    }
}

/// Says half a wish, hangs up, and does it again.
struct Stranger {
    endpoint: Endpoint,
    visits: u32,
    next: Option<Instant>,
}

impl Node for Stranger {
    fn handle(&mut self, input: Input, context: &mut Context<'_>) {
        match input {
            Input::Started | Input::Timeout => {
                let _dialled = context.connect(&self.endpoint);
            }
            Input::Connected(stream) => {
                let _taken = context.write(stream, br#"{"type":"wish","data":[99,"#);
                context.note("hangs up in the middle of a message");
                context.close(stream);
                self.visits += 1;
            }
            _ => {}
        }
        self.next = (self.visits < 20).then(|| context.now() + Duration::from_millis(100));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}

fn play(seed: u64) -> Result<(u64, u64), Box<dyn Error>> {
    let config = Config::new("counter").retry(Duration::from_millis(30));
    let settings = config.build(&Host::new("sim", Platform::Linux))?;
    let endpoint = Endpoint::local(&settings, None)?;
    let mut world = World::new(seed, Wire::default());
    let server = world.add(ServerNode::new(settings.clone(), endpoint.clone(), Counter::default()));
    for number in 0..CLIENTS {
        let wisher = Wisher { number, wish: 0, ask_again: None };
        world.add(ClientNode::new(settings.clone(), endpoint.clone(), wisher));
    }
    world.add(Stranger { endpoint, visits: 0, next: None });
    for _ in 0..20 {
        world.run_for(Duration::from_millis(15))?;
        if let Some(&stream) = world.streams().first() {
            world.cut(stream, Duration::ZERO, Duration::from_millis(40));
        }
    }
    world.run_for(Duration::from_secs(30))?;
    let counter = world.node::<ServerNode<Counter>>(server).ok_or("the server is gone")?.app();
    if counter.seen.len() as u64 != CLIENTS * WISHES {
        return Err(format!("seed {seed}: {} wishes were counted", counter.seen.len()).into());
    }
    Ok((counter.asked, world.steps()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut asked, mut steps) = (0, 0);
    for seed in 0..100 {
        let played = play(seed)?;
        asked += played.0;
        steps += played.1;
    }
    println!("100 seeds, {steps} steps: {} wishes, asked {asked} times, each counted once", 100 * CLIENTS * WISHES);
    Ok(())
}

//! A chat: a room, and a client for the terminal. What is said in it is a contract.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example chat
//! cargo run --release -p ipc-tokio --example chat -- room            (in one terminal)
//! cargo run --release -p ipc-tokio --example chat -- client ann      (in others)
//! ```
//!
//! Without arguments it is a demonstration that checks itself: a room, and two clients as processes of their own that are
//! typed into. A socket path may follow the arguments, otherwise it is the service `chat`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use ipc_tokio::{Client, ClientEvent, Config, Contract, PeerId, Server, ServerEvent};
use std::collections::HashMap;
use std::error::Error;
use std::io::BufRead;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::{UnboundedReceiver, channel, unbounded_channel};
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(20);

/// What clients say to the room.
#[derive(Contract, Debug)]
#[contract(rename_all = "kebab-case")]
enum ToRoom {
    Enter(String),
    Say(String),
}

/// What the room says to clients.
#[derive(Contract, Debug)]
#[contract(rename_all = "kebab-case")]
enum FromRoom {
    Entered {
        who: String,
        with: usize,
    },
    Said {
        who: String,
        text: String,
    },
    Left(String),
    /// The name is somebody else's.
    Taken(String),
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => demonstrate().await,
        ["room"] => room(Server::new(Config::new("chat"))?).await,
        ["room", path] => room(Server::at_path(path, Config::new("chat"))?).await,
        ["client", name] => chat(name, Client::new("chat", Config::new(*name))?).await,
        ["client", name, path] => chat(name, Client::at_path(path, Config::new(*name))?).await,
        _ => Err("nothing, or `room`, or `client <name>`; then a path if you like".into()),
    }
}

/// The room: who is in it, in one place, and no lock.
async fn room(server: Server) -> Result<()> {
    let mut events = server.events();
    server.start().await?;
    println!("the room is at {}", server.local_endpoint());
    let mut names: HashMap<PeerId, String> = HashMap::new();
    while let Some(event) = events.recv().await {
        match event {
            ServerEvent::Message(peer, message) => match ToRoom::try_from(&message) {
                Ok(ToRoom::Enter(who)) => {
                    if names.values().any(|name| *name == who) {
                        // It may try another. Should its queue be full, it has other troubles.
                        let _ = peer.emit_typed(&FromRoom::Taken(who));
                        continue;
                    }
                    names.insert(peer.id(), who.clone());
                    server.broadcast_typed(&FromRoom::Entered { who, with: names.len() - 1 })?;
                }
                Ok(ToRoom::Say(text)) => {
                    // Who has not entered is not heard.
                    if let Some(who) = names.get(&peer.id()) {
                        server.broadcast_typed(&FromRoom::Said { who: who.clone(), text })?;
                    }
                }
                Err(error) => eprintln!("peer {}: {error}", peer.id()),
            },
            ServerEvent::Disconnected { peer, .. } => {
                if let Some(who) = names.remove(&peer.id()) {
                    server.broadcast_typed(&FromRoom::Left(who))?;
                }
            }
            ServerEvent::Error(peer, error) => eprintln!("peer {}: {error}", peer.id()),
            _ => {}
        }
    }
    Ok(())
}

/// The client: lines of the terminal to the room, and what is said to the terminal.
async fn chat(name: &str, client: Client) -> Result<()> {
    let mut events = client.events();
    client.connect().await?;
    client.send_typed(&ToRoom::Enter(name.to_owned())).await?;
    let mut lines = lines_of_stdin();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(text) => client.send_typed(&ToRoom::Say(text)).await?,
                None => break,
            },
            event = events.recv() => match event {
                Some(ClientEvent::Message(message)) => show(FromRoom::try_from(&message)?)?,
                Some(ClientEvent::Disconnected { .. }) => return Err("the room is closed".into()),
                Some(_) => {}
                None => break,
            },
        }
    }
    client.close().await?;
    Ok(())
}

fn show(event: FromRoom) -> Result<()> {
    match event {
        FromRoom::Entered { who, with: 0 } => println!("* {who} is here, alone"),
        FromRoom::Entered { who, with } => println!("* {who} is here, with {with} more"),
        FromRoom::Said { who, text } => println!("<{who}> {text}"),
        FromRoom::Left(who) => println!("* {who} has left"),
        FromRoom::Taken(who) => return Err(format!("there is a {who} already").into()),
    }
    Ok(())
}

/// A thread reads the terminal, which cannot be read without one. It ends with the program.
fn lines_of_stdin() -> tokio::sync::mpsc::Receiver<String> {
    let (sender, lines) = channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(std::io::Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Two clients in a room, typed into and read.
async fn demonstrate() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("chat").display().to_string();
    let server = Server::at_path(&path, Config::new("chat"))?;
    let room = tokio::spawn(room(server));
    let mut ann = Terminal::open("ann", &path)?;
    ann.expect("* ann is here, alone").await?;
    let mut bob = Terminal::open("bob", &path)?;
    bob.expect("* bob is here, with 1 more").await?;
    ann.expect("* bob is here, with 1 more").await?;
    ann.type_line("hello, bob!").await?;
    bob.expect("<ann> hello, bob!").await?;
    bob.type_line("hello \u{1f600}").await?;
    ann.expect("<ann> hello, bob!").await?;
    ann.expect("<bob> hello \u{1f600}").await?;
    if Terminal::open("bob", &path)?.ended_well().await? {
        return Err("there are two of one name".into());
    }
    bob.end_input();
    ann.expect("* bob has left").await?;
    ann.end_input();
    if !bob.ended_well().await? || !ann.ended_well().await? {
        return Err("somebody did not leave in peace".into());
    }
    room.abort();
    println!("everybody was heard");
    Ok(())
}

/// A client in a process of its own. It ends with this value.
struct Terminal {
    child: Child,
    input: Option<ChildStdin>,
    lines: UnboundedReceiver<String>,
}

impl Terminal {
    fn open(name: &'static str, path: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["client", name, path])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("it is piped")?;
        let (sender, lines) = unbounded_channel();
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                println!("{name:>8} | {line}");
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Ok(Self { child, input, lines })
    }

    async fn type_line(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().ok_or("it is still here")?;
        input.write_all(format!("{text}\n").as_bytes()).await?;
        Ok(input.flush().await?)
    }

    async fn expect(&mut self, expected: &str) -> Result<()> {
        let line = timeout(PATIENCE, self.lines.recv()).await?.ok_or("it has ended")?;
        if line == expected { Ok(()) } else { Err(format!("{line:?} instead of {expected:?}").into()) }
    }

    /// As Ctrl-D does.
    fn end_input(&mut self) {
        self.input = None;
    }

    /// Waits for its end, and says whether it is a good one.
    async fn ended_well(&mut self) -> Result<bool> {
        Ok(timeout(PATIENCE, self.child.wait()).await??.success())
    }
}

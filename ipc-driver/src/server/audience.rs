//! Whom an event is for: everybody, or a group, perhaps without some.
//!
//! Who is in a group is for `groups` to say, what becomes of the event for `broadcast`.

use super::broadcast::Broadcast;
use super::crowd::Crowd;
use crate::peer::Peer;
use ipc_proto::{EmitError, Frame, Message, PeerId};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Peers that an event goes to: [`Peer::all`] or [`Peer::group`] in a handler, [`Server::all`](crate::Server::all) or
/// [`Server::group`](crate::Server::group) elsewhere.
///
/// It is a description, not a list: who they are is looked up whenever it is asked. Cheap to clone, and does not keep the
/// server alive. Once that has ended, nobody is there.
///
/// ```
/// # use ipc_driver::{Client, Config, Endpoint, Server, fake::Fake};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Fake::new(1);
/// # let settings = ipc_driver::build(Config::new("world"))?;
/// # let endpoint = Endpoint::net(&settings, None, None)?;
/// # let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
/// server.on("enter", |peer, room: String| peer.join(room));
/// server.on("say", |peer, (room, text): (String, String)| {
///     peer.group(&room).except(peer).emit("said", &text).map(drop)
/// });
/// # let connect = || Client::with_runtime(runtime.clone(), settings.clone(), endpoint.clone());
/// # let (ann, bob) = (connect()?, connect()?);
/// # let (told, heard) = std::sync::mpsc::channel();
/// # let of_ann = told.clone();
/// # ann.on("said", move |text: String| of_ann.send(("ann", text)));
/// # bob.on("said", move |text: String| told.send(("bob", text)));
/// # runtime.block_on(async {
/// #     server.start().await?;
/// #     for client in [&ann, &bob] {
/// #         client.connect().await?;
/// #         client.emit("enter", "tea")?;
/// #     }
/// #     Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # runtime.run();
/// // When two have entered:
/// let tea = server.group("tea");
/// assert_eq!(tea.len(), 2);
/// let first = &tea.peers()[0];
/// assert!(tea.contains(first) && !tea.clone().except(first).contains(first));
/// # ann.emit("say", &("tea", "hello"))?;
/// # runtime.run();
/// # assert_eq!(heard.try_iter().collect::<Vec<_>>(), [("bob", "hello".to_owned())]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "an audience does nothing until something is emitted to it"]
pub struct Audience {
    crowd: Arc<Crowd>,
    /// `None` for everybody.
    group: Option<Arc<str>>,
    except: Vec<PeerId>,
}

impl Audience {
    pub(super) fn new(crowd: &Arc<Crowd>, group: Option<&str>) -> Self {
        Self { crowd: Arc::clone(crowd), group: group.map(Arc::from), except: Vec::new() }
    }

    /// The same without this one: all but the sender.
    pub fn except(mut self, peer: &Peer) -> Self {
        self.except.push(peer.id());
        self
    }

    /// Queues an event for each of them and returns at once, as [`Server::broadcast`](crate::Server::broadcast). It is encoded
    /// once. Nobody being there is no error.
    ///
    /// # Errors
    ///
    /// [`EmitError`] if it cannot be encoded: then nobody gets it. A peer that cannot take it is counted in the outcome.
    pub fn emit<T: Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<Broadcast, EmitError> {
        Ok(self.emit_frame(&Frame::new(&self.crowd.settings, name, data)?))
    }

    /// Queues a message for each of them, its payload not parsed.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_message(&self, message: &Message) -> Result<Broadcast, EmitError> {
        Ok(self.emit_frame(&Frame::from_message(&self.crowd.settings, message)?))
    }

    /// Queues bytes for each of them, on a raw server.
    ///
    /// # Errors
    ///
    /// [`EmitError::WrongMode`] on a framed server.
    pub fn emit_raw(&self, bytes: impl Into<bytes::Bytes>) -> Result<Broadcast, EmitError> {
        Ok(self.emit_frame(&Frame::raw(&self.crowd.settings, bytes)?))
    }

    /// Queues an encoded frame for each of them.
    pub fn emit_frame(&self, frame: &Frame) -> Broadcast {
        let found = self.found();
        Broadcast::emit(self.chosen(&found), frame)
    }

    /// Like [`emit`](Self::emit), but waits for each of them to have room: the slowest sets the pace. Those who are there when
    /// it is called get it.
    ///
    /// Cancel safe in that no event is torn; peers not yet served when the call is dropped do not get it.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub async fn send<T: Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<Broadcast, EmitError> {
        let frame = Frame::new(&self.crowd.settings, name, data)?;
        Ok(self.send_frame(&frame).await)
    }

    /// Like [`emit_frame`](Self::emit_frame), but waits for each of them to have room. Cancel safe as [`send`](Self::send).
    pub async fn send_frame(&self, frame: &Frame) -> Broadcast {
        let found = self.found();
        Broadcast::send(self.chosen(&found), frame).await
    }

    /// Who they are now, in order of connection.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.chosen(&self.found()).cloned().collect()
    }

    /// How many they are now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chosen(&self.found()).count()
    }

    /// Whether nobody is there now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is one of them now.
    #[must_use]
    pub fn contains(&self, peer: &Peer) -> bool {
        self.chosen(&self.found()).any(|one| one == peer)
    }

    fn found(&self) -> Arc<[Peer]> {
        match &self.group {
            Some(name) => self.crowd.groups.members(name),
            None => self.crowd.peers.all(),
        }
    }

    fn chosen<'a>(&'a self, found: &'a [Peer]) -> impl Iterator<Item = &'a Peer> {
        found.iter().filter(|peer| !self.except.contains(&peer.id()))
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("group", &self.group).field("except", &self.except).finish_non_exhaustive()
    }
}

//! Handing the listening socket to another process: what the accepting task and the handles have to do for it.
//!
//! The conversation with that process is in `handover`.

use super::Server;
use crate::error::HandOverError;
use crate::handover::{Facts, Offer, Outcome, offer, on_thread};
use crate::latch::Latch;
use crate::log::note;
use crate::net::{FileId, Ownership};
use crate::runtime::{Credentials, Listener, Runtime};
use futures_channel::{mpsc, oneshot};
use futures_core::Stream;
use std::future::{Future, poll_fn};
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Asks for a descriptor of the socket.
type Request = oneshot::Sender<io::Result<OwnedFd>>;

/// The way to the task that has the listening socket.
#[derive(Default)]
pub(super) struct Handing {
    /// Of the socket there is now. The lock protects nothing else.
    line: Mutex<Option<Line>>,
    offers: Offers,
}

/// The offers under way. The lock protects nothing else.
#[derive(Default)]
struct Offers(Arc<Mutex<Vec<Arc<Latch<()>>>>>);

/// One of them, as long as this lives.
struct UnderWay {
    all: Arc<Mutex<Vec<Arc<Latch<()>>>>>,
    ended: Arc<Latch<()>>,
}

impl Offers {
    fn begin(&self) -> UnderWay {
        let ended = Arc::<Latch<()>>::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&ended));
        UnderWay { all: Arc::clone(&self.0), ended }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| !Arc::ptr_eq(one, &self.ended));
        self.ended.set(());
    }
}

#[derive(Clone)]
struct Line {
    requests: mpsc::Sender<Request>,
    /// Whether another process has the socket.
    taken: Arc<AtomicBool>,
    file: Option<(FileId, Ownership)>,
}

impl Handing {
    /// A server begins to listen.
    pub(super) fn begin(&self, listener: &impl Listener) -> Requests {
        let (requests, receiver) = mpsc::channel(0);
        let file = listener.file().map(|file| (file.id().clone(), file.ownership()));
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Line { requests, taken: Arc::default(), file });
        Requests(receiver)
    }

    /// Waits until no offer of now is under way, and its control socket is gone. A server that has stopped withdraws them.
    pub(super) async fn withdrawn(&self) {
        let offers = self.offers.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for offer in offers {
            offer.wait().await;
        }
    }

    fn line(&self) -> Option<Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The other end, in the task that accepts.
pub(super) struct Requests(mpsc::Receiver<Request>);

impl Requests {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, listener: &impl Listener) {
        while let Poll::Ready(Some(request)) = Pin::new(&mut self.0).poll_next(cx) {
            let _gave_up = request.send(listener.duplicate());
        }
    }
}

/// Ends the offer when it is dropped.
struct Withdraw(UnixStream);

impl Drop for Withdraw {
    fn drop(&mut self) {
        let _best_effort = self.0.shutdown(Shutdown::Both);
    }
}

impl<R: Runtime> Server<R> {
    /// Offers the listening socket at `control_path`, a Unix socket that only this user may connect to, and waits until
    /// another process has taken it with [`take_over`](Self::take_over) and [`start`](Self::start). Then this server
    /// accepts nobody any more, and the socket file is the other's; connections live on, until
    /// [`shutdown`](Self::shutdown). Gives who has it.
    ///
    /// Nobody is refused meanwhile: this server accepts until the other process is ready to. A process that comes and
    /// fails changes nothing, it is logged, and the next may come. A process may take 60 seconds from getting the
    /// socket to its `start`; others that ask meanwhile give up after 5 seconds. Of several offers at different paths one is taken, and the others end
    /// with [`HandOverError::Stopped`].
    ///
    /// Cancel safe: a dropped call withdraws the offer, unless the socket is the other's already.
    ///
    /// # Errors
    ///
    /// [`HandOverError`]; the server goes on as it was, unless it has been stopped.
    pub async fn hand_over(&self, control_path: impl AsRef<Path>) -> Result<Credentials, HandOverError> {
        let control = control_path.as_ref().to_owned();
        let shared = &self.shared;
        let socket = shared.slot.socket().ok_or(HandOverError::NotListening)?;
        let line = shared.handing.line().ok_or(HandOverError::NotListening)?;
        let fd = duplicate(line.requests).await?;
        let facts = Facts {
            endpoint: socket.endpoint.to_string(),
            file: line.file.as_ref().map(|(id, ownership)| (id.clone(), ownership.is_ours())),
        };
        let ownership = line.file.map(|(_, ownership)| ownership).filter(Ownership::is_ours);
        let offered = Offer { socket: fd, facts, ownership, taken: line.taken };
        let (cancel, withdraw) = UnixStream::pair().map_err(HandOverError::Socket)?;
        let again = withdraw.try_clone().map_err(HandOverError::Socket)?;
        let _withdraw_if_dropped = Withdraw(withdraw);

        let (sender, receiver) = oneshot::channel();
        let server = self.clone();
        let at = control.clone();
        let under_way = shared.handing.offers.begin();
        // What is decided must be done, whether or not anybody waits for it.
        self.runtime.spawn(async move {
            let withdraw_if_stopped = Withdraw(again);
            let mut ended = pin!(on_thread("ipc-hand-over", move || offer(&at, &offered, &cancel)));
            let mut stop = pin!(socket.stop.wait());
            let outcome = poll_fn(|cx| match ended.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending => stop.as_mut().poll(cx).map(|()| None),
            })
            .await;
            let outcome = match outcome {
                Some(outcome) => outcome,
                None => {
                    drop(withdraw_if_stopped);
                    let outcome = ended.await;
                    socket.stopped.wait().await;
                    outcome
                }
            };
            if let Ok(Outcome::Taken(taker)) = &outcome {
                note!(server.shared.log, info, endpoint = %socket.endpoint, pid = taker.pid, "another process has taken over");
                server.shared.log.say("is taken over by another process");
                // First the socket, then the book: who has been accepted by now is still let in.
                socket.stop.set(());
                socket.stopped.wait().await;
                server.shared.handshakes.idle().await;
                server.shared.stop();
            }
            drop(under_way);
            // Nobody may be waiting any more.
            let _unheard = sender.send(outcome);
        });
        match receiver.await {
            Ok(Ok(Outcome::Taken(taker))) => Ok(taker),
            Ok(Ok(Outcome::Withdrawn)) | Err(oneshot::Canceled) => Err(HandOverError::Stopped),
            Ok(Err(source)) => Err(HandOverError::Control { control, source }),
        }
    }
}

async fn duplicate(mut line: mpsc::Sender<Request>) -> Result<OwnedFd, HandOverError> {
    let (request, answer) = oneshot::channel();
    poll_fn(|cx| line.poll_ready(cx)).await.map_err(|_| HandOverError::NotListening)?;
    line.start_send(request).map_err(|_| HandOverError::NotListening)?;
    answer.await.map_err(|_| HandOverError::NotListening)?.map_err(HandOverError::Socket)
}

#[cfg(all(test, not(ipc_loom)))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::task::Waker;

    #[test]
    fn offers_that_are_under_way_are_waited_for_and_those_that_have_ended_are_not() {
        let handing = Handing::default();
        let [one, other] = [(), ()].map(|()| handing.offers.begin());
        drop(one);
        let mut cx = Context::from_waker(Waker::noop());
        let mut withdrawn = pin!(handing.withdrawn());
        assert!(withdrawn.as_mut().poll(&mut cx).is_pending());
        drop(other);
        assert!(withdrawn.as_mut().poll(&mut cx).is_ready());
        assert!(handing.offers.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_call_that_is_dropped_withdraws_its_offer_though_others_hold_the_socket_too() {
        let (mut offering, withdraw) = UnixStream::pair().unwrap();
        let _again = withdraw.try_clone().unwrap();
        offering.set_nonblocking(true).unwrap();
        let error = offering.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(Withdraw(withdraw));
        assert_eq!(offering.read(&mut [0]).unwrap(), 0);
    }
}

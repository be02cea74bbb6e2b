//! Handles that find the runtime they run in, and instances of node-ipc (`new ipc.IPC`), several in one process.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, channel, soon};
use ipc_driver::runtime::Ambient;
use ipc_driver::{Client, Config, Endpoint, Ipc, Peer, Server, StopRetrying, UdpServer, build};
use std::time::Duration;

pub async fn handles_are_made_without_naming_a_runtime<R: Ambient>(stage: Stage<R>) {
    let server = Server::<R>::new(stage.config()).expect("a server");
    server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
    server.start().await.expect("started");
    let client = soon("connect", Client::<R>::connect_to("world", stage.client_config())).await.expect("connected");
    let (sender, mut answers) = channel();
    client.on("message", move |text: String| sender.send(text));
    client.emit("message", "hello").expect("emitted");
    assert_eq!(answers.next("an answer").await, "hello world!");

    // In a task as well.
    let path = if cfg!(windows) {
        r"\\.\pipe\".to_owned() + &stage.path("other").display().to_string().replace('\\', "-")
    } else {
        stage.path("other").display().to_string()
    };
    let (config, other) = (stage.config(), stage.client_config());
    let task = stage.spawn(async move {
        let server = Server::<R>::at_path(&path, config).expect("a server");
        server.on_event("message", Peer::emit_event);
        server.start().await.expect("started");
        let client = Client::<R>::at_path(&path, other).expect("a client");
        let (sender, mut echo) = channel();
        client.on("message", move |n: u32| sender.send(n));
        client.connect().await.expect("connected");
        client.emit("message", &7).expect("emitted");
        echo.next("an echo").await
    });
    assert_eq!(soon("the task", task.join()).await, 7);

    let tcp = soon("start", Server::<R>::serve_net(Some("127.0.0.1"), Some(0), Config::new("world"))).await;
    let tcp = tcp.expect("started");
    let port = tcp.local_endpoint().port();
    assert_ne!(port, Some(0), "the port that the system chose");
    // By its name, which is looked up.
    let client = Client::<R>::connect_to_net(Some("localhost"), port, Config::new("hello"));
    soon("connect", client).await.expect("connected");
    let udp = UdpServer::<R>::udp4(Some("127.0.0.1"), Some(0), Config::new("world")).expect("a server");
    udp.start().await.expect("started");
    assert_ne!(udp.local_endpoint().port(), Some(0));
}

pub async fn instances_side_by_side_do_not_know_each_other<R: Ambient>(stage: Stage<R>) {
    let ids = ["one", "two", "three"];
    let instances = ids.map(|id| Ipc::<R>::new(stage.config().id(id)));
    for (id, ipc) in ids.into_iter().zip(&instances) {
        let server = ipc.serve().expect("a server");
        server.on("who", move |peer, _: u8| peer.emit("me", id));
        server.start().await.expect("started");
    }
    // Everybody asks everybody, itself included.
    for ipc in &instances {
        for id in ids {
            let client = ipc.connect_to(id).expect("a client");
            let (sender, mut heard) = channel();
            client.on("me", move |name: String| sender.send(name));
            soon("connect", client.connect()).await.expect("connected");
            client.emit("who", &0).expect("emitted");
            assert_eq!(heard.next("a name").await, id);
            assert!(ipc.of(id).is_some_and(|kept| kept.is_connected()));
        }
    }
    assert!(ids.iter().zip(&instances).all(|(id, ipc)| ipc.config().id.as_deref() == Some(id)));
    assert!(instances[0].disconnect("two") && instances[0].of("two").is_none());
    assert!(instances[1].of("two").is_some_and(|client| client.is_connected()), "another's is left alone");
    for ipc in &instances {
        let server = ipc.server().expect("a server");
        assert_eq!(soon("shutdown", server.shutdown(Duration::from_secs(20))).await.cut, 0);
    }
}

pub async fn a_changed_configuration_ends_the_waiting_of_its_clients<R: Ambient>(stage: Stage<R>) {
    let ipc = Ipc::<R>::new(stage.config().retry(Duration::from_secs(3600)));
    let client = ipc.connect_to("world").expect("a client");
    client.start();
    stage.until("the wait", || client.is_waiting()).await;
    assert!(!ipc.connect_to("world").expect("the same").is_destroyed());
    ipc.configure(|config| config.stop_retrying = StopRetrying::Yes);
    soon("the end", client.destroyed()).await;
    assert!(ipc.disconnect("world") && !ipc.disconnect("world"));
}

pub async fn an_instance_keeps_its_udp_server_beside_the_other<R: Ambient>(stage: Stage<R>) {
    let ipc = Ipc::<R>::new(Config::new("world").network_port(0));
    let server = ipc.serve_udp4(None, None).expect("a server");
    let stream = ipc.serve_net(None, None).expect("a server");
    server.start().await.expect("started");
    stream.start().await.expect("started");
    let address = server.local_address().expect("started");
    assert_eq!(ipc.udp_server().and_then(|server| server.local_address()), Some(address));
    drop(server);
    let replaced = ipc.serve_udp6(None, None).expect("a server");
    assert!(matches!(replaced.local_endpoint(), Endpoint::Udp6 { .. }));
    assert!(stream.is_listening());
    // The one replaced has no other handle, so its socket closes.
    let settings = build(Config::new("world")).expect("settings");
    let again = UdpServer::<R>::at(settings, Endpoint::Udp4 { host: "127.0.0.1".into(), port: address.port() });
    let again = again.expect("a server");
    let free = async {
        while again.start().await.is_err() {
            stage.sleep(Duration::from_millis(1)).await;
        }
    };
    soon("the port is free", free).await;
}

//! What is the same in every declaration: node-ipc's handles, as far as a contract is about them.

/// What begins the file.
pub(super) const HEADER: &str = "\
// Written by the program whose contract this is. Change the contract there, not here.
";

/// The payload of an event without one: what node-ipc writes for `undefined`.
pub(super) const NOTHING: &str = "Nothing";

/// The names that the text below declares.
pub(super) const NAMES: [&str; 5] = ["Nothing", "Payload", "NodeSocket", "NodeClient", "NodeServer"];

/// The name of the interface of requests.
pub(super) const REQUESTS: &str = "Requests";

/// The interface of requests.
pub(super) fn requests(members: &str) -> String {
    format!(
        "/** Requests by their names, for `Ask` and `Answer` of ipc-request.cjs. */\nexport interface {REQUESTS} {{\n{members}}}\n"
    )
}

/// node-ipc's handles (9 to 14), with events of `Hears` and `Says`.
pub(super) const HANDLES: &str = r#"/** No payload: node-ipc writes `{}`. */
export type Nothing = Record<string, never>;

/** What `emit` takes after the name. */
export type Payload<Data> = [Data] extends [Nothing] ? [data?: Data] : [data: Data];

/** A client of a server in Node. */
export interface NodeSocket {
    id?: unknown;
    destroy(): void;
}

/** `ipc.of.<id>` of node-ipc, which hears the events of one contract and says those of another, or of the same. */
export interface NodeClient<Hears, Says = Hears> {
    on<Name extends keyof Hears>(name: Name, handler: (data: Hears[Name]) => void): void;
    on(name: 'connect' | 'disconnect' | 'destroy', handler: () => void): void;
    on(name: 'error', handler: (error: unknown) => void): void;
    off<Name extends keyof Hears>(name: Name, handler: (data: Hears[Name]) => void): void;
    emit<Name extends keyof Says>(name: Name, ...data: Payload<Says[Name]>): void;
}

/** `ipc.server` of node-ipc, which hears the events of one contract and says those of another, or of the same. */
export interface NodeServer<Hears, Says = Hears, Socket = NodeSocket> {
    on<Name extends keyof Hears>(name: Name, handler: (data: Hears[Name], socket: Socket) => void): void;
    on(name: 'start', handler: () => void): void;
    on(name: 'connect', handler: (socket: Socket) => void): void;
    on(name: 'socket.disconnected', handler: (socket: Socket, id: unknown) => void): void;
    on(name: 'error', handler: (error: unknown) => void): void;
    off<Name extends keyof Hears>(name: Name, handler: (data: Hears[Name], socket: Socket) => void): void;
    emit<Name extends keyof Says>(socket: Socket, name: Name, ...data: Payload<Says[Name]>): void;
    broadcast<Name extends keyof Says>(name: Name, ...data: Payload<Says[Name]>): void;
    start(): void;
    stop(): void;
}
"#;

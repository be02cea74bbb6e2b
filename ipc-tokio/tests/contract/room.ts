// Written by the program whose contract this is. Change the contract there, not here.

/**
 * What clients say to the room.
 */
export interface ToRoom {
    /**
     * Somebody came, under this name.
     */
    join: string;
    /**
     * Something to be said to everybody.
     *
     * It is kept: see `history`.
     */
    say: { text: string, 
        /**
         * The number of what is answered.
         */
        reply_to?: number | null, };
    "room.move": [number, number];
    leave: Nothing;
}

/**
 * What the room says to clients.
 */
export interface FromRoom {
    joined: Person;
    said: { byWhom: Person, text: string, number: number, };
    history: Array<[string, string | null]>;
    counted: { [key in string]: number };
    moved: Place;
    left: Uppercase<string>;
}

export type Person = { fullName: string, friends: Array<Person>, tags: { [key in string]: boolean }, };

export type Place = { "kind": "nowhere" } | { "kind": "at", x: number, y: number, };

/** No payload: node-ipc writes `{}`. */
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

// What a Node program may do with the contract in `room.ts`, and what it may not.
import type { FromRoom, NodeClient, NodeServer, Person, Place, ToRoom } from './room';

declare const room: NodeClient<FromRoom, ToRoom>;
declare const server: NodeServer<ToRoom, FromRoom>;
declare const ann: Person;

room.on('connect', () => room.emit('join', 'ann'));
room.on('joined', (person) => person.friends.map((friend) => friend.fullName.length));
room.on('said', ({ byWhom, text, number }) => `${byWhom.fullName}: ${text} (${number.toFixed()})`);
room.on('history', (lines) => lines.map(([who, what]) => who + (what ?? '')));
room.on('counted', (counts) => (counts['words'] ?? 0) + 1);
room.on('moved', (place: Place) => (place.kind === 'at' ? place.x + place.y : 0));
room.on('error', (error) => { throw error; });
room.emit('say', { text: 'hi' });
room.emit('say', { text: 'hi', reply_to: 3 });
room.emit('say', { text: 'hi', reply_to: null });
room.emit('room.move', [1, 2]);
room.emit('leave');
room.emit('leave', {});

server.on('start', () => server.broadcast('moved', { kind: 'nowhere' }));
server.on('join', (name, socket) => server.emit(socket, 'joined', { ...ann, fullName: name }));
server.on('leave', (nothing, socket) => server.emit(socket, 'left', 'BYE'));
server.on('socket.disconnected', (socket) => socket.destroy());

// @ts-expect-error No such event.
room.emit('jion', 'ann');
// @ts-expect-error An event that the other side says.
room.emit('joined', ann);
// @ts-expect-error Another payload.
room.emit('join', 7);
// @ts-expect-error No payload, where there is one.
room.emit('join');
// @ts-expect-error A payload, where there is none.
room.emit('leave', 'now');
// @ts-expect-error A field is missing.
room.emit('say', { reply_to: 3 });
// @ts-expect-error A field too many.
room.emit('say', { text: 'hi', loud: true });
// @ts-expect-error Left out is not the same as undefined, which is no JSON.
room.emit('say', { text: 'hi', reply_to: undefined });
// @ts-expect-error A pair has two.
room.emit('room.move', [1, 2, 3]);
// @ts-expect-error No such field.
room.on('said', (said) => said.by_whom);
// @ts-expect-error What serde skips is not there.
room.on('joined', (person) => person.secret);
// @ts-expect-error The type that was told by hand.
server.broadcast('left', 'quietly');
// @ts-expect-error No such place.
server.broadcast('moved', { kind: 'at', x: 1 });

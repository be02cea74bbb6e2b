let ipc = require('node-ipc');
ipc = ipc.default ?? ipc; // node-ipc 14 has it there, 9 has not

ipc.config.id = 'world';
ipc.config.silent = true;
ipc.serve('./app.world', () => {
  ipc.server.on('message', (text, socket) => {
    console.log(`got ${text}`);
    ipc.server.emit(socket, 'message', `${text} world, from Node!`);
  });
  console.log('listening');
});
ipc.server.start();

let ipc = require('node-ipc');
ipc = ipc.default ?? ipc; // node-ipc 14 has it there, 9 has not

ipc.config.id = 'hello';
ipc.config.silent = true;
ipc.connectTo('world', './app.world', () => {
  ipc.of.world.on('connect', () => ipc.of.world.emit('message', 'hello from Node'));
  ipc.of.world.on('message', (text) => {
    console.log(text);
    ipc.disconnect('world');
  });
});

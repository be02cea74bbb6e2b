let ipc = require('node-ipc');
ipc = ipc.default ?? ipc; // node-ipc 14 has it there, 9 has not
const {request} = require('./ipc-request.cjs');

ipc.config.id = 'node';
ipc.config.silent = true;
ipc.connectTo('calculator', './app.calculator', () => {
  ipc.of.calculator.on('connect', async () => {
    console.log('6 / 4 =', await request(ipc.of.calculator, 'divide', [6, 4]));
    await request(ipc.of.calculator, 'divide', [1, 0]).catch((error) => console.log('1 / 0:', error.code));
    ipc.disconnect('calculator');
  });
});

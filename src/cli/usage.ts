/** The texts below the flags in `--help`. */

export const PROGRAM_HELP = `
Start here:
  $ limpet start                        the built-in app, with its page at http://localhost:3000
  $ limpet start --app ./app.ts         your own: export default (io, limpet) => { … }
  $ limpet help start                   every flag of a command, with its default and its variable`;

export const CONFIG_HELP = `
A flag wins over its variable, a variable over the file, the file over the default.
The file and the LIMPET_ variables have more settings than there are flags, Socket.IO's own
options among them (section "socketio"): see docs/configuration.md.`;

export const START_HELP = `${CONFIG_HELP}

Examples:
  $ limpet start --app ./app.js --workers 4
  $ limpet start --config limpet.yaml --port 8080
  $ LIMPET_SOCKETIO_PING_INTERVAL=10000 limpet start`;

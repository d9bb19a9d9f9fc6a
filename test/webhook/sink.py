#!/usr/bin/python3
"""A mail server that keeps what it gets, and refuses what recipients say: later@ once, nobody@ always, spam@ its text.

usage: sink.py LOG [USER PASSWORD]; prints its port once it listens. LOG gets a JSON object a line, for each recipient it was
named and each mail it took. With a user it takes mail of nobody else.
"""
import asyncio, base64, collections, json, socket, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

log = open(sys.argv[1], 'a', buffering=1)
seen = collections.Counter()


def say(**what):
    log.write(json.dumps(dict(what, at=time.time())) + '\n')


class Sink:
    async def handle_RCPT(self, server, session, envelope, address, options):
        times = seen[address]
        seen[address] += 1
        say(what='rcpt', address=address, times=times)
        if address.startswith('later@') and times == 0:
            return '451 4.3.0 try later'
        if address.startswith('nobody@'):
            return '550 5.1.1 there is no such user: Zo\u00eb'
        envelope.rcpt_tos.append(address)
        return '250 2.1.5 ok'

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith('spam@'):
            return '554 5.7.1 we do not want it'
        say(what='mail', sender=envelope.mail_from, recipients=envelope.rcpt_tos, data=base64.b64encode(envelope.original_content).decode())
        return '250 2.0.0 taken'


def check(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and [data.login.decode(), data.password.decode()] == sys.argv[2:4]
    say(what='auth', good=good)
    return AuthResult(success=good, handled=good)


known = len(sys.argv) > 2
controller = Controller(Sink(), hostname='127.0.0.1', port=0, data_size_limit=50_000_000,
                        **(dict(authenticator=check, auth_required=True, auth_require_tls=False) if known else {}))
# of port 0 nobody knows but the listener
controller._trigger_server = lambda: socket.create_connection(controller.server.sockets[0].getsockname()[:2]).close()
controller.start()
print(controller.server.sockets[0].getsockname()[1], flush=True)
while True:
    time.sleep(60)

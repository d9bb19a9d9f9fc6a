#!/usr/bin/python3
"""A receiver of webhooks that behaves as its paths say, and writes down what it got.

usage: receiver.py LOG [CERTIFICATE KEY]; prints its port once it listens. LOG gets a JSON object a line: "connect" for each
connection, "request" with everything of it when it is whole, "end" with how many bytes of an answer went out.
"""
import base64, collections, json, socket, ssl, struct, sys, threading, time

log = open(sys.argv[1], 'a', buffering=1)
lock = threading.Lock()
seen = collections.Counter()
now_at = collections.Counter()


def say(**what):
    with lock:
        log.write(json.dumps(dict(what, at=time.time())) + '\n')


def answer(c, status, body=b'{"ok":true}', more=()):
    head = [f'HTTP/1.1 {status} Said', f'Content-Length: {len(body)}', 'Connection: close', *more]
    c.sendall('\r\n'.join(head).encode() + b'\r\n\r\n' + body)
    return len(body)


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def drip(c, pieces):
    n = 0
    for piece in pieces:
        c.sendall(piece)
        n += 1
        time.sleep(0.2)
    return n


def flood(c, head, size):
    n = 0
    c.sendall(head)
    try:
        while n < size:
            n += c.send(b'x' * 65536)
    finally:
        say(what='flooded', bytes=n)
    return n


def behave(c, path, times):
    """What the path asks for; times: how often it was asked before."""
    kind, _, rest = path.strip('/').partition('/')
    first = rest.split('/')[0]
    if kind == 'ok':
        return answer(c, 200)
    if kind == 'fail':  # so many times, then well
        return answer(c, 500, b'no\xff\x00 \xc3\xa9' + b'y' * 3000) if times < int(first) else answer(c, 204, b'')
    if kind == 'always':
        return answer(c, int(first))
    if kind == 'later':  # Retry-After, once
        return answer(c, 503, b'later', [f'Retry-After: {first}']) if times == 0 else answer(c, 200)
    if kind == 'slow':
        time.sleep(float(first))
        with lock:  # who has our answer may be back before we go on
            now_at[path] -= 1
        return answer(c, 200)
    if kind == 'hang':
        c.settimeout(60)
        c.recv(1)
        return 0
    if kind == 'reset':
        return reset(c)
    if kind == 'close':
        return 0
    if kind == 'short':
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort')
        return 5
    if kind == 'garbage':
        c.sendall(b'SSH-2.0-OpenSSH_9\r\n')
        return 0
    if kind == 'redirect':
        to = 'http://127.0.0.1:%d/ok/redirected' % port if first == 'here' else 'http://169.254.169.254/latest/meta-data/'
        return answer(c, 302, b'', [f'Location: {to}'])
    if kind == 'drip':
        return drip(c, [b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'] + [b'x'] * 300)
    if kind == 'drip_head':
        return drip(c, [b'HTTP/1.1 200 OK\r\n'] + [b'X-A: b\r\n'] * 300)
    if kind == 'flood':
        return flood(c, b'HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n', 10485760)
    if kind == 'flood_head':
        return flood(c, b'HTTP/1.1 200 OK\r\nX-A: ', 10485760)
    if kind == 'gzip':
        return answer(c, 200, b'\x1f\x8b\x08bomb', ['Content-Encoding: gzip', 'Set-Cookie: a=b; Path=/'])
    return answer(c, 404)


def read_request(c):
    data = b''
    while b'\r\n\r\n' not in data:
        piece = c.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    headers = [line.split(': ', 1) if ': ' in line else [line, ''] for line in lines[1:]]
    length = int(dict((k.lower(), v) for k, v in headers).get('content-length', 0))
    while len(body) < length:
        piece = c.recv(65536)
        if not piece:
            break
        body += piece
    return lines[0], headers, body


def serve(c, peer):
    say(what='connect', peer=peer)
    try:
        c.settimeout(30)
        if context:
            c = context.wrap_socket(c, server_side=True)
        request = read_request(c)
        if request is None:
            return
        line, headers, body = request
        path = line.split(' ')[1]
        with lock:
            times = seen[path]
            seen[path] += 1
            now_at[path] += 1
            at_once = now_at[path]
        say(what='request', line=line, path=path, headers=headers, body=base64.b64encode(body).decode(), times=times, at_once=at_once)
        try:
            n = behave(c, path, times)
        finally:
            with lock:
                now_at[path] -= not path.startswith('/slow/')
        say(what='end', path=path, bytes=n)
    except (OSError, ssl.SSLError) as e:
        say(what='broken', error=str(e))
    finally:
        c.close()


context = None
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(('127.0.0.1', 0))
listener.listen(128)
port = listener.getsockname()[1]
print(port, flush=True)
while True:
    connection, address = listener.accept()
    threading.Thread(target=serve, args=(connection, address[0]), daemon=True).start()

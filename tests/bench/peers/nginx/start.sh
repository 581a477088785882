#!/bin/bash
# Starts nginx as the ceiling: GET, PUT and DELETE of files under /f/ (sendfile, keep-alive,
# open_file_cache; PUT is a temporary file and a rename, without sync, one copy).
# PORT (7490), WORKERS (2), PEER (the folder of all state).
set -euo pipefail
PEER=${PEER:-${TMPDIR:-/tmp}/needletail-peers/nginx}
PORT=${PORT:-7490}
mkdir -p "$PEER"/{www/f,tmp/body,tmp/proxy,tmp/fcgi,tmp/uwsgi,tmp/scgi,log}
if [ -s "$PEER/nginx.pid" ] && [ -d "/proc/$(cat "$PEER/nginx.pid")" ]; then
  echo "already running" >&2
  exit 0
fi
user=$([ "$(id -u)" = 0 ] && echo "user root;" || true)
cat > "$PEER/nginx.conf" <<EOF
$user
worker_processes ${WORKERS:-2};
worker_rlimit_nofile 20000;
pid $PEER/nginx.pid;
error_log $PEER/log/error.log warn;
events { worker_connections 8192; multi_accept on; use epoll; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  sendfile_max_chunk 2m;
  keepalive_timeout 300s; keepalive_requests 100000000;
  reset_timedout_connection on;
  server_tokens off; etag on;
  client_body_temp_path $PEER/tmp/body;
  proxy_temp_path $PEER/tmp/proxy; fastcgi_temp_path $PEER/tmp/fcgi;
  uwsgi_temp_path $PEER/tmp/uwsgi; scgi_temp_path $PEER/tmp/scgi;
  client_max_body_size 0;
  client_body_buffer_size 1m;
  server {
    listen 127.0.0.1:$PORT reuseport backlog=4096;
    root $PEER/www;
    location /f/ {
      open_file_cache max=200000 inactive=600s; open_file_cache_valid 600s;
      dav_methods PUT DELETE; create_full_put_path on;
    }
    location = /healthcheck { return 200 "OK"; }
  }
}
EOF
# nginx refuses a prefix whose logs it cannot open, so it gets a private one
PATH=$PATH:/usr/sbin nginx -p "$PEER/" -e "$PEER/log/error.log" -c "$PEER/nginx.conf"
for _ in $(seq 100); do
  curl -s -o /dev/null "http://127.0.0.1:$PORT/healthcheck" && exit 0
  sleep 0.05
done
echo "nginx does not answer; see $PEER/log" >&2
exit 1

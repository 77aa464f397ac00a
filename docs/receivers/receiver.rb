# A receiver in Ruby, standard library only: ruby receiver.rb, with SECRET and PORT in the environment.
# In Rack or Rails, read request.body.read: params know nothing of application/jwt.

require "json"
require "openssl"
require "socket"

SECRET = ENV.fetch("SECRET")
MAX_BODY = 2 * 1024 * 1024

def decoded(segment)
  raise ArgumentError, "not base64url" unless segment.match?(/\A[A-Za-z0-9_-]+\z/)
  (segment.tr("-_", "+/") + "=" * (-segment.length % 4)).unpack1("m0")
end

# The event in a signed body, or nil if it is not signed with the secret.
def verified(body)
  segments = body.split(".", -1)
  return nil unless segments.length == 3
  header, payload, signature = segments
  header_fields = JSON.parse(decoded(header))
  return nil unless header_fields.is_a?(Hash) && header_fields["alg"] == "HS256"
  expected = OpenSSL::HMAC.digest("SHA256", SECRET, "#{header}.#{payload}")
  given = decoded(signature)
  return nil unless given.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(given, expected)
  event = JSON.parse(decoded(payload))
  event if event.is_a?(Hash)
rescue ArgumentError, JSON::ParserError, EncodingError
  nil
end

def handle(client)
  client.gets # the request line
  headers = {}
  while (line = client.gets&.chomp) && !line.empty?
    name, value = line.split(":", 2)
    headers[name.downcase] = value.to_s.strip
  end
  length = headers["content-length"].to_i
  return answer(client, "413 Content Too Large") if length > MAX_BODY
  event = verified(client.read(length).to_s)
  return answer(client, "401 Unauthorized") unless event
  # Drop what was seen before: the same event has the same id on every attempt.
  puts "#{headers["switchhook-event-id"]} #{event["state"]}"
  answer(client, "200 OK")
ensure
  client.close
end

def answer(client, status)
  client.write("HTTP/1.1 #{status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
end

server = TCPServer.new("127.0.0.1", ENV.fetch("PORT", "3000").to_i)
loop { Thread.new(server.accept) { |client| handle(client) } }

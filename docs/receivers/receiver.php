<?php
// A receiver in PHP, nothing installed: SECRET=… php -S 127.0.0.1:3000 receiver.php
// The body is in php://input; $_POST knows nothing of application/jwt.

declare(strict_types=1);

const MAX_BODY = 2 * 1024 * 1024;

function decoded(string $segment): string|false
{
    if (!preg_match('/\A[A-Za-z0-9_-]+\z/', $segment)) {
        return false;
    }
    return base64_decode(strtr($segment, '-_', '+/'), true);
}

/** The event in a signed body, as its JSON text, or null if it is not signed with the secret. */
function verified(string $body, string $secret): ?string
{
    $segments = explode('.', $body);
    if (count($segments) !== 3) {
        return null;
    }
    [$header, $payload, $signature] = array_map('decoded', $segments);
    if ($header === false || $payload === false || $signature === false) {
        return null;
    }
    $header = json_decode($header, true);
    if (!is_array($header) || ($header['alg'] ?? null) !== 'HS256') {
        return null;
    }
    $expected = hash_hmac('sha256', "$segments[0].$segments[1]", $secret, true);
    $is_event = hash_equals($expected, $signature) && json_decode($payload) instanceof stdClass;
    return $is_event ? $payload : null;
}

$secret = getenv('SECRET');
if ($secret === false || $secret === '') {
    http_response_code(500);
    exit('SECRET is not set');
}
$body = file_get_contents('php://input', false, null, 0, MAX_BODY + 1);
if (strlen($body) > MAX_BODY) {
    http_response_code(413);
    exit;
}
$event = verified($body, $secret);
if ($event === null) {
    http_response_code(401);
    exit;
}
// Drop what was seen before: the same event has the same id on every attempt.
$state = json_decode($event, true)['state'] ?? '';
error_log(($_SERVER['HTTP_SWITCHHOOK_EVENT_ID'] ?? '-') . ' ' . $state);
http_response_code(200);

-- Each request asks for one of the pages in the file that BENCH_PAGES names: a line with the token, a line with the body.
local requests = {}

function init()
  math.randomseed(os.time())
  local token
  for line in io.lines(os.getenv("BENCH_PAGES")) do
    if token then
      local headers = {
        ["authorization"] = "Bearer " .. token,
        ["content-type"] = "application/json",
        ["accept"] = "application/json",
      }
      requests[#requests + 1] = wrk.format("POST", "/graphql", headers, line)
      token = nil
    else
      token = line
    end
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,"failed":%d,"refused":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end

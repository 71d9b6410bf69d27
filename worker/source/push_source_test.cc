#include "worker/source/push_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/source/http/http_source.h"
#include "worker/source/socket/socket_source.h"
#include "worker/source/source_testing.h"
#include "worker/source/stdin/stdin_source.h"

namespace millrace::worker {
namespace {

using testing::CollectingConsumer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SourceDriver;
using testing::TempFolder;

SystemClock& RealClock() {
  static SystemClock clock;
  return clock;
}

SourceOptions Options(const std::string& state = "") {
  SourceOptions options;
  options.state_directory = state;
  options.clock = &RealClock();
  return options;
}

// Batches until `count` records arrived or ten seconds passed.
std::vector<std::string> Collect(SourceDriver* driver, size_t count) {
  std::vector<std::string> all;
  const auto deadline = RealClock().Monotonic() + std::chrono::seconds(10);
  while (all.size() < count && RealClock().Monotonic() < deadline) {
    const auto batch = driver->NextBatch();
    all.insert(all.end(), batch.begin(), batch.end());
    if (batch.empty()) std::this_thread::yield();
  }
  return all;
}

// ---- http
// ---------------------------------------------------------------------------------------------------

api::HttpSource HttpSpec() {
  api::HttpSource spec;
  spec.port = 0;
  spec.path = "/in";
  spec.max_body_bytes = 100;
  return spec;
}

TEST(HttpSourceTest, AnswersWhenRecordsAreStoredAndNamesWhatItRefuses) {
  HttpSource source("web", HttpSpec(), Framing::kLines, Options());
  ASSERT_TRUE(source.Start({}).ok());
  httplib::Client client("127.0.0.1", source.port());
  const auto stored = client.Post("/in", "a\nb\nc", "application/x-www-form-urlencoded");
  EXPECT_EQ(stored->status, 200);
  EXPECT_EQ(stored->body, "{\"accepted\":3}\n");
  EXPECT_EQ(client.Get("/in")->status, 405);
  EXPECT_EQ(client.Post("/", "a", "text/plain")->status, 404);
  EXPECT_EQ(client.Post("/in", std::string(101, 'x'), "text/plain")->status, 413);
  SourceDriver driver(&source);
  EXPECT_THAT(driver.NextBatch(), ElementsAre("a", "b", "c"));
}

TEST(HttpSourceTest, AsksForTheTokenOfTheSecret) {
  const TempFolder folder;
  ASSERT_TRUE(MakeDirectories(folder / "web").ok());
  folder.Write("web/token", "s3cret\n");
  api::HttpSource spec = HttpSpec();
  spec.auth = api::Auth{"web", {}};
  SourceOptions options = Options();
  options.secrets_directory = folder.path();
  HttpSource source("web", spec, Framing::kLines, options);
  const Status started = source.Start({});
  ASSERT_TRUE(started.ok()) << started;
  httplib::Client client("127.0.0.1", source.port());
  EXPECT_EQ(client.Post("/in", "a", "text/plain")->status, 401);
  const auto sent = [&](const std::string& token) {
    const httplib::Headers headers{{"Authorization", "Bearer " + token}};
    return client.Post("/in", headers, "a", "text/plain")->status;
  };
  EXPECT_EQ(sent("s3creT"), 401);
  EXPECT_EQ(sent("s3cret"), 200);
}

TEST(HttpSourceTest, KeepsAcknowledgedRecordsOverARestart) {
  const TempFolder folder;
  SourcePosition position;
  PartitionRange planned;
  {
    HttpSource source("web", HttpSpec(), Framing::kLines, Options(folder.path()));
    ASSERT_TRUE(source.Start({}).ok());
    httplib::Client client("127.0.0.1", source.port());
    ASSERT_EQ(client.Post("/in", "a\nb\nc\n", "text/plain")->status, 200);
    SourceDriver driver(&source);
    EXPECT_THAT(driver.NextBatch(2), ElementsAre("a", "b"));
    position = driver.position;
    planned = driver.last.front();
  }
  HttpSource source("web", HttpSpec(), Framing::kLines, Options(folder.path()));
  ASSERT_TRUE(source.Start(position).ok());
  CollectingConsumer replay;
  ASSERT_TRUE(source.Read(planned, &replay).ok());
  EXPECT_THAT(replay.records, ElementsAre("a", "b"));
  SourceDriver driver(&source);
  driver.position = position;
  EXPECT_THAT(driver.NextBatch(), ElementsAre("c"));
  planned.proof[0] = planned.proof[0] == '0' ? '1' : '0';
  const Status status = source.Read(planned, &replay);
  EXPECT_EQ(status.code(), StatusCode::kGone);
  EXPECT_THAT(status.message(), HasSubstr("StateLost"));
}

TEST(HttpSourceTest, StopsWhenTheLogIsBehindTheJob) {
  const TempFolder folder;
  SourcePosition position;
  position.offsets[0] = "5";
  HttpSource source("web", HttpSpec(), Framing::kLines, Options(folder.path()));
  const Status status = source.Start(position);
  EXPECT_EQ(status.code(), StatusCode::kGone);
  EXPECT_THAT(status.message(), HasSubstr("StateLost"));
}

TEST(HttpSourceTest, NumbersGoOnInMemoryAfterARestart) {
  SourcePosition position;
  position.offsets[0] = "5";
  HttpSource source("web", HttpSpec(), Framing::kLines, Options());
  ASSERT_TRUE(source.Start(position).ok());
  httplib::Client client("127.0.0.1", source.port());
  ASSERT_EQ(client.Post("/in", "a\n", "text/plain")->status, 200);
  SourceDriver driver(&source);
  driver.position = position;
  EXPECT_THAT(driver.NextBatch(), ElementsAre("a"));
  EXPECT_EQ(driver.position.offsets[0], "6");
}

// ---- socket
// -------------------------------------------------------------------------------------------------

class LoopbackListener {
 public:
  LoopbackListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::listen(fd_.get(), 4);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }
  // Accepts a connection, sends `text` and closes.
  void Serve(std::string_view text) {
    const UniqueFd peer(::accept(fd_.get(), nullptr, nullptr));
    ASSERT_TRUE(peer.valid());
    ASSERT_TRUE(WriteAll(peer.get(), text, "socket").ok());
  }

 private:
  UniqueFd fd_;
  int port_ = 0;
};

TEST(SocketSourceTest, ReadsLinesAndConnectsAgain) {
  LoopbackListener listener;
  api::SocketSource spec;
  spec.host = "127.0.0.1";
  spec.port = listener.port();
  spec.reconnect_delay = std::chrono::milliseconds(1);
  SocketSource source("tcp", spec, Framing::kLines, Options());
  ASSERT_TRUE(source.Start({}).ok());
  listener.Serve("1\n2\nrest");
  SourceDriver driver(&source);
  EXPECT_THAT(Collect(&driver, 3), ElementsAre("1", "2", "rest"));
  listener.Serve("3\n");
  EXPECT_THAT(Collect(&driver, 1), ElementsAre("3"));
  EXPECT_FALSE(driver.ended);
  source.Stop();
}

TEST(SocketSourceTest, StopsWhileNobodyAnswers) {
  api::SocketSource spec;
  spec.host = "127.0.0.1";
  spec.port = LoopbackListener().port();
  spec.reconnect_delay = std::chrono::hours(1);
  SocketSource source("tcp", spec, Framing::kLines, Options());
  ASSERT_TRUE(source.Start({}).ok());
  SourceDriver driver(&source);
  EXPECT_TRUE(driver.NextBatch().empty());
  source.Stop();
}

// ---- stdin
// --------------------------------------------------------------------------------------------------

TEST(StdinSourceTest, EndsWithItsInputAndKeepsTheHeaderApart) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  StdinSource source("in", in.get(), Framing::kCsv, /*has_header=*/true, Options());
  ASSERT_TRUE(source.Start({}).ok());
  ASSERT_TRUE(WriteAll(out.get(), "id,name\n1,a\n2,b", "pipe").ok());
  out = UniqueFd();
  SourceDriver driver(&source);
  CollectingConsumer consumer;
  const auto deadline = RealClock().Monotonic() + std::chrono::seconds(10);
  while (!driver.ended && RealClock().Monotonic() < deadline) {
    ASSERT_TRUE(driver.Plan().ok());
    for (const auto& range : driver.last) {
      CollectingConsumer part;
      ASSERT_TRUE(source.Read(range, &part).ok());
      consumer.records.insert(consumer.records.end(), part.records.begin(), part.records.end());
      EXPECT_EQ(part.headers.front(), "id,name");
    }
  }
  EXPECT_THAT(consumer.records, ElementsAre("1,a", "2,b"));
  EXPECT_TRUE(driver.ended);
}

}  // namespace
}  // namespace millrace::worker

#include "worker/client/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(UrlTest, ReadsAddresses) {
  struct Case {
    std::string text, origin, target;
  };
  const Case cases[] = {
      {"http://host", "http://host", "/"},
      {"HTTP://Host:80/a", "http://host", "/a"},
      {"https://host:8443/a?b=c#d", "https://host:8443", "/a?b=c"},
      {"https://host?x", "https://host", "/?x"},
      {"http://[::1]:9/", "http://[::1]:9", "/"},
      {"http://10.0.0.1:65535/%20", "http://10.0.0.1:65535", "/%20"},
  };
  for (const Case& c : cases) {
    const Result<Url> url = ParseUrl(c.text);
    ASSERT_TRUE(url.ok()) << c.text << " " << url.status();
    EXPECT_EQ(url->Origin(), c.origin) << c.text;
    EXPECT_EQ(url->target, c.target) << c.text;
  }
}

TEST(UrlTest, RefusesWhatIsNoSafeAddress) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "http://"},
      {"host:80", "http://"},
      {"file:///etc/passwd", "file://"},
      {"ftp://host/", "http://"},
      {"http://", "host name"},
      {"http:///x", "host name"},
      {"http://user:secret@host/", "auth.secretName"},
      {"http://host:0/", "1 to 65535"},
      {"http://host:65536/", "1 to 65535"},
      {"http://host:/", "1 to 65535"},
      {"http://host:8x/", "1 to 65535"},
      {"http://ho st/", "percent-encode"},
      {"http://host/a\r\nX: y", "percent-encode"},
      {"http://host/\xc3\xa4", "percent-encode"},
      {"http://[::1/", "without"},
      {"http://[zz]/", "IPv6"},
      {"http://[::1]x/", "after"},
  };
  for (const auto& [text, want] : cases) {
    const Result<Url> url = ParseUrl(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.status().code(), StatusCode::kInvalid) << text;
    EXPECT_THAT(url.status().message(), HasSubstr(want)) << text;
  }
}

TEST(UrlTest, KeepsPasswordsOutOfMessages) {
  EXPECT_THAT(ParseUrl("http://user:hunter2@host/").status().message(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(ParseUrl("ftp://user:hunter2@host/").status().message(), Not(HasSubstr("hunter2")));
}

TEST(UrlTest, ResolvesRedirects) {
  const Url base = *ParseUrl("https://host:8443/a/b");
  EXPECT_EQ(ResolveRedirect(base, "/c")->Origin(), "https://host:8443");
  EXPECT_EQ(ResolveRedirect(base, "/c")->target, "/c");
  EXPECT_FALSE(ResolveRedirect(base, "http://host:8443/c")->SameOrigin(base));
  EXPECT_FALSE(ResolveRedirect(base, "//elsewhere/c").ok());
  EXPECT_FALSE(ResolveRedirect(base, "file:///etc/passwd").ok());
}

}  // namespace
}  // namespace millrace::worker

# The formula of a release: `packages/build formula FOLDER` fills in its version and the checksums of its archives.
class Switchhook < Formula
  desc "Dialpad webhook event system as open, self-hosted software"
  homepage "https://github.com/switchhook/switchhook"
  version "VERSION"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "https://github.com/switchhook/switchhook/releases/download/vVERSION/switchhook-VERSION-aarch64-apple-darwin.tar.gz"
      sha256 "SHA256 of aarch64-apple-darwin"
    end
    on_intel do
      url "https://github.com/switchhook/switchhook/releases/download/vVERSION/switchhook-VERSION-x86_64-apple-darwin.tar.gz"
      sha256 "SHA256 of x86_64-apple-darwin"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/switchhook/switchhook/releases/download/vVERSION/switchhook-VERSION-aarch64-unknown-linux-musl.tar.gz"
      sha256 "SHA256 of aarch64-unknown-linux-musl"
    end
    on_intel do
      url "https://github.com/switchhook/switchhook/releases/download/vVERSION/switchhook-VERSION-x86_64-unknown-linux-musl.tar.gz"
      sha256 "SHA256 of x86_64-unknown-linux-musl"
    end
  end

  def install
    bin.install "switchhook"
    man1.install Dir["share/man/man1/*"]
    bash_completion.install "share/bash-completion/completions/switchhook"
    zsh_completion.install "share/zsh/site-functions/_switchhook"
    fish_completion.install "share/fish/vendor_completions.d/switchhook.fish"
  end

  service do
    run [opt_bin/"switchhook", "serve", "--store", "sqlite:#{var}/switchhook/switchhook.db"]
    keep_alive true
    working_dir var/"switchhook"
    log_path var/"log/switchhook.log"
    error_log_path var/"log/switchhook.log"
  end

  def post_install
    (var/"switchhook").mkpath
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/switchhook --version")
    system bin/"switchhook", "init", "--dir", testpath/"server"
    system bin/"switchhook", "config", "check", "--config", testpath/"server/switchhook.toml"
  end
end

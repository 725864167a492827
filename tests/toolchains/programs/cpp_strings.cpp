// std::string and std::map without streams: small, and everything by stdio.
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using Token = std::variant<long, char>;

static std::optional<std::vector<Token>> tokens(std::string_view text) {
    std::vector<Token> result;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            std::size_t used;
            result.emplace_back(std::stol(std::string(text.substr(i)), &used));
            i += used - 1;
        } else if (std::string_view("+-*").find(text[i]) != text.npos) {
            result.emplace_back(text[i]);
        } else if (text[i] != ' ') {
            return std::nullopt;
        }
    }
    return result;
}

int main(int argc, char **argv) {
    const std::map<char, std::function<long(long, long)>> operators{
        {'+', [](long a, long b) { return a + b; }},
        {'-', [](long a, long b) { return a - b; }},
        {'*', [](long a, long b) { return a * b; }},
    };
    for (int i = 1; i < argc; i++) { // postfix expressions
        std::vector<long> stack;
        auto list = tokens(argv[i]);
        if (!list) {
            std::printf("%s: wrong\n", argv[i]);
            continue;
        }
        for (const Token &token : *list) {
            if (auto number = std::get_if<long>(&token)) {
                stack.push_back(*number);
            } else if (stack.size() >= 2) {
                long right = stack.back();
                stack.pop_back();
                stack.back() = operators.at(std::get<char>(token))(stack.back(), right);
            }
        }
        std::string text;
        for (long number : stack)
            text += (text.empty() ? "" : ", ") + std::to_string(number);
        std::printf("%s = %s\n", argv[i], text.c_str());
    }
    return argc - 1;
}

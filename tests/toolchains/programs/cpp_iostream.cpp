// Streams, strings, containers and algorithms of C++.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

struct Shape {
    virtual ~Shape() { std::cout << "gone\n"; }
    virtual std::string name() const = 0;
    virtual double area() const = 0;
};
struct Square : Shape {
    explicit Square(double side) : side(side) {}
    std::string name() const override { return "square"; }
    double area() const override { return side * side; }
    double side;
};
struct Circle : Shape {
    explicit Circle(double radius) : radius(radius) {}
    std::string name() const override { return "circle"; }
    double area() const override { return 3.14159265358979 * radius * radius; }
    double radius;
};

struct Global {
    Global() { std::cout << "constructed before main\n"; }
    ~Global() { std::cout << "destroyed after main\n"; }
} global;

int main() {
    std::map<std::string, int> words;
    std::string line, longest;
    int lines = 0;
    while (std::getline(std::cin, line)) {
        lines++;
        std::istringstream stream(line);
        for (std::string word; stream >> word; words[word]++)
            if (word.size() > longest.size())
                longest = word;
    }
    std::cout << lines << " lines, longest word \"" << longest << "\"\n";
    for (const auto &[word, count] : words)
        std::cout << std::setw(8) << word << std::setw(4) << count << '\n';

    std::vector<int> numbers(10);
    std::iota(numbers.begin(), numbers.end(), 1);
    std::cout << std::accumulate(numbers.begin(), numbers.end(), 0) << ' '
              << std::count_if(numbers.begin(), numbers.end(), [](int n) { return n % 3 == 0; }) << '\n';
    std::sort(numbers.begin(), numbers.end(), std::greater<>());
    for (int number : numbers)
        std::cout << number << ' ';
    std::cout << '\n' << std::hex << std::showbase << 255 << std::dec << ' ' << std::boolalpha << true << '\n';
    std::cout << std::fixed << std::setprecision(3) << 2.0 / 3 << ' ' << std::scientific << 12345.678 << '\n';

    std::vector<std::unique_ptr<Shape>> shapes;
    shapes.push_back(std::make_unique<Square>(2));
    shapes.push_back(std::make_unique<Circle>(1));
    for (const auto &shape : shapes)
        std::cout << shape->name() << ' ' << std::defaultfloat << shape->area() << '\n';

    std::unordered_map<int, std::string> names{{1, "one"}, {2, "two"}};
    std::set<char> letters(longest.begin(), longest.end());
    std::cout << names.at(2) << ' ' << std::string(letters.begin(), letters.end()) << std::endl;
    std::cerr << "to standard error" << std::endl;
    return words.empty() ? 1 : 0;
}

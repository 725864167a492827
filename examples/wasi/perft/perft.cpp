// Counts the positions that chess moves lead to, down to a depth: the usual test of move generators.
//
//     perft [--divide] DEPTH FEN    one position, for instance: perft --divide 3 startpos
//     perft [--divide]              a depth and a position on each line of standard input
//
// A position is in Forsyth-Edwards Notation, or `startpos`. With --divide, each first move is printed
// with its own count. A line that is no depth and position is reported, and the exit status is 1.
//
// An ordinary WASI command. Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32
// libc++-dev-wasm32 libc++abi-14-dev-wasm32 binaryen
//     clang++ --target=wasm32-wasi -std=c++17 -O2 -fno-exceptions -Wl,--stack-first -Wl,--strip-all perft.cpp -o perft.wasm
//     wasm-opt -Oz perft.wasm -o perft.wasm
// Most of the module is the library's <iostream>.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

// Squares are 0x88 numbers: 16 * rank + file. Off the board, a bit of 0x88 is set.
using Square = int;
constexpr Square none = -1;
constexpr bool on_board(Square square) { return (square & 0x88) == 0; }
constexpr Square square_at(int file, int rank) { return 16 * rank + file; }
constexpr int rank_of(Square square) { return square >> 4; }
std::string name_of(Square square) {
    return {static_cast<char>('a' + (square & 7)), static_cast<char>('1' + rank_of(square))};
}

constexpr int north = 16, south = -16, east = 1, west = -1;
constexpr std::array<int, 8> directions{north, south, east, west, north + east, north + west, south + east, south + west};
constexpr std::array<int, 8> jumps{33, 31, 18, 14, -14, -18, -31, -33};

// The four ways to castle; a position has a bit for each that is still allowed.
struct Castling {
    char letter;
    bool white;
    int side;
    Square king, rook;
};
constexpr std::array<Castling, 4> castlings{{
    {'K', true, east, square_at(4, 0), square_at(7, 0)},
    {'Q', true, west, square_at(4, 0), square_at(0, 0)},
    {'k', false, east, square_at(4, 7), square_at(7, 7)},
    {'q', false, west, square_at(4, 7), square_at(0, 7)},
}};

struct Move {
    Square from, to;
    char promotion = 0; // one of nbrq, or 0

    std::string name() const {
        std::string name = name_of(from) + name_of(to);
        if (promotion)
            name += promotion;
        return name;
    }
};

// Pieces are the letters of the notation: PNBRQK are White's, pnbrqk Black's, and '.' is an empty square.
constexpr std::string_view pieces = "PNBRQKpnbrqk";
bool is_white(char piece) { return piece >= 'A' && piece <= 'Z'; }
bool is_black(char piece) { return piece >= 'a' && piece <= 'z'; }
char kind_of(char piece) { return static_cast<char>(piece | 0x20); }

class Position {
public:
    // Returns what is wrong with the notation, or an empty string.
    std::string read(std::istream &notation);

    std::vector<Move> moves() const; // that are right but for a king left in check
    Position after(Move move) const;
    bool is_legal() const { return !is_attacked(kings[!white_moves], white_moves); } // the last move was

private:
    bool is_own(char piece) const { return white_moves ? is_white(piece) : is_black(piece); }
    bool is_other(char piece) const { return white_moves ? is_black(piece) : is_white(piece); }
    bool is_attacked(Square target, bool by_white) const;
    void add_pawn_moves(std::vector<Move> &moves, Square from) const;
    void add_castling(std::vector<Move> &moves) const;

    std::array<char, 128> board{};
    std::array<Square, 2> kings{none, none}; // Black's and White's
    bool white_moves = true;
    unsigned rights = 0; // to castle
    Square en_passant = none;
};

std::string Position::read(std::istream &notation) {
    std::string placement, side, castling, target;
    if (!(notation >> placement))
        return "the position is missing";
    if (placement == "startpos") {
        placement = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR";
        side = "w", castling = "KQkq", target = "-";
    } else if (!(notation >> side >> castling >> target)) {
        return "a position has placement, side to move, castling rights and en passant square";
    }

    board.fill('.');
    int file = 0, rank = 7;
    for (char letter : placement) {
        if (letter == '/' && file == 8 && rank > 0) {
            file = 0;
            rank--;
        } else if (letter >= '1' && letter <= '8' && file + (letter - '0') <= 8) {
            file += letter - '0';
        } else if (pieces.find(letter) != pieces.npos && file < 8) {
            if (kind_of(letter) == 'p' && (rank == 0 || rank == 7))
                return "a pawn is on the first or last rank";
            if (kind_of(letter) == 'k') {
                Square &king = kings[is_white(letter)];
                if (king != none)
                    return "a side has two kings";
                king = square_at(file, rank);
            }
            board[square_at(file++, rank)] = letter;
        } else {
            return "the placement is wrong at '" + std::string(1, letter) + "'";
        }
    }
    if (file != 8 || rank != 0)
        return "the placement has too few squares";
    if (kings[0] == none || kings[1] == none)
        return "a king is missing";

    if (side != "w" && side != "b")
        return "the side to move is neither w nor b";
    white_moves = side == "w";

    if (castling.find_first_not_of("KQkq") != std::string::npos && castling != "-")
        return "the castling rights are neither - nor of KQkq";
    for (std::size_t i = 0; i < castlings.size(); i++) {
        auto [letter, white, side, king, rook] = castlings[i];
        if (castling.find(letter) == std::string::npos)
            continue;
        if (kings[white] != king || board[rook] != (white ? 'R' : 'r'))
            return "a castling right has no king or rook in its place";
        rights |= 1U << i;
    }

    if (target != "-") {
        if (target.size() != 2 || target[0] < 'a' || target[0] > 'h' || target[1] != (white_moves ? '6' : '3'))
            return "the en passant square is neither - nor on the right rank";
        en_passant = square_at(target[0] - 'a', target[1] - '1');
        if (board[en_passant] != '.' || board[en_passant + (white_moves ? south : north)] != (white_moves ? 'p' : 'P'))
            return "the en passant square is not behind a pawn";
    }
    return is_legal() ? "" : "the side that is not to move is in check";
}

bool Position::is_attacked(Square target, bool by_white) const {
    auto has = [&](Square square, char kind) {
        return on_board(square) && board[square] == (by_white ? kind - 0x20 : kind);
    };
    int back = by_white ? south : north;
    if (has(target + back + east, 'p') || has(target + back + west, 'p'))
        return true;
    for (int jump : jumps)
        if (has(target + jump, 'n'))
            return true;
    for (std::size_t i = 0; i < directions.size(); i++) {
        Square square = target + directions[i];
        if (has(square, 'k'))
            return true;
        while (on_board(square) && board[square] == '.')
            square += directions[i];
        if (has(square, i < 4 ? 'r' : 'b') || has(square, 'q'))
            return true;
    }
    return false;
}

void Position::add_pawn_moves(std::vector<Move> &moves, Square from) const {
    int ahead = white_moves ? north : south;
    auto add = [&](Square to) {
        if (rank_of(to) == 0 || rank_of(to) == 7)
            for (char promotion : {'n', 'b', 'r', 'q'})
                moves.push_back({from, to, promotion});
        else
            moves.push_back({from, to});
    };
    if (board[from + ahead] == '.') {
        add(from + ahead);
        if (rank_of(from) == (white_moves ? 1 : 6) && board[from + 2 * ahead] == '.')
            add(from + 2 * ahead);
    }
    for (Square to : {from + ahead + east, from + ahead + west})
        if (on_board(to) && (is_other(board[to]) || to == en_passant))
            add(to);
}

// The king's way has to be free and not attacked; the square where it arrives is checked as for any move.
void Position::add_castling(std::vector<Move> &moves) const {
    for (std::size_t i = 0; i < castlings.size(); i++) {
        auto [letter, white, side, king, rook] = castlings[i];
        if (!(rights >> i & 1) || white != white_moves)
            continue;
        bool free = board[king + side] == '.' && board[king + 2 * side] == '.' &&
                    (side == east || board[king + 3 * side] == '.');
        if (free && !is_attacked(king, !white_moves) && !is_attacked(king + side, !white_moves))
            moves.push_back({king, king + 2 * side});
    }
}

std::vector<Move> Position::moves() const {
    std::vector<Move> moves;
    moves.reserve(64);
    for (Square from = 0; from < static_cast<Square>(board.size()); from++) {
        if (!on_board(from) || !is_own(board[from]))
            continue;
        auto step = [&](int by) {
            if (on_board(from + by) && !is_own(board[from + by]))
                moves.push_back({from, from + by});
        };
        auto slide = [&](std::size_t first, std::size_t last) {
            for (std::size_t i = first; i < last; i++) {
                Square to = from + directions[i];
                for (; on_board(to) && board[to] == '.'; to += directions[i])
                    moves.push_back({from, to});
                if (on_board(to) && is_other(board[to]))
                    moves.push_back({from, to});
            }
        };
        switch (kind_of(board[from])) {
        case 'p': add_pawn_moves(moves, from); break;
        case 'b': slide(4, 8); break;
        case 'r': slide(0, 4); break;
        case 'q': slide(0, 8); break;
        case 'n':
            for (int jump : jumps)
                step(jump);
            break;
        case 'k':
            for (int direction : directions)
                step(direction);
            break;
        }
    }
    add_castling(moves);
    return moves;
}

Position Position::after(Move move) const {
    Position next = *this;
    auto shift = [&](Square from, Square to) {
        next.board[to] = next.board[from];
        next.board[from] = '.';
    };
    shift(move.from, move.to);
    next.en_passant = none;

    switch (kind_of(board[move.from])) {
    case 'p':
        if (move.to == en_passant)
            next.board[move.to + (white_moves ? south : north)] = '.';
        if (std::abs(move.to - move.from) == 2 * north)
            next.en_passant = (move.from + move.to) / 2;
        if (move.promotion)
            next.board[move.to] = white_moves ? static_cast<char>(move.promotion - 0x20) : move.promotion;
        break;
    case 'k':
        next.kings[white_moves] = move.to;
        if (move.to - move.from == 2 * east)
            shift(move.to + east, move.to + west);
        if (move.to - move.from == 2 * west)
            shift(move.to + 2 * west, move.to + east);
        break;
    }

    // A move from or to the square of a king or rook ends the right to castle with it.
    if (rights)
        for (std::size_t i = 0; i < castlings.size(); i++)
            for (Square square : {castlings[i].king, castlings[i].rook})
                if (move.from == square || move.to == square)
                    next.rights &= ~(1U << i);
    next.white_moves = !white_moves;
    return next;
}

std::uint64_t count(const Position &position, int depth) {
    if (depth == 0)
        return 1;
    std::uint64_t total = 0;
    for (Move move : position.moves()) {
        Position next = position.after(move);
        if (next.is_legal())
            total += count(next, depth - 1);
    }
    return total;
}

// Handles a depth and a position. Returns what is wrong with them, or an empty string.
std::string answer(std::istream &line, bool divide) {
    int depth;
    if (!(line >> depth) || depth < 0 || depth > 20)
        return "the depth is no number from 0 to 20";
    Position position;
    std::string problem = position.read(line);
    if (!problem.empty())
        return problem;

    std::uint64_t total = 0;
    if (divide && depth > 0) {
        std::map<std::string, std::uint64_t> counts;
        for (Move move : position.moves()) {
            Position next = position.after(move);
            if (next.is_legal())
                total += counts[move.name()] = count(next, depth - 1);
        }
        for (const auto &[name, number] : counts)
            std::cout << name << ": " << number << '\n';
    } else {
        total = count(position, depth);
    }
    std::cout << total << std::endl;
    return "";
}

} // namespace

int main(int argc, char **argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    bool divide = !arguments.empty() && arguments.front() == "--divide";
    if (divide)
        arguments.erase(arguments.begin());

    int status = 0;
    if (!arguments.empty()) {
        std::stringstream line;
        for (const std::string &argument : arguments)
            line << argument << ' ';
        std::string problem = answer(line, divide);
        if (!problem.empty()) {
            std::cerr << "perft: " << problem << "\nusage: perft [--divide] [DEPTH FEN]\n";
            status = 1;
        }
    } else {
        int number = 0;
        for (std::string text; std::getline(std::cin, text);) {
            number++;
            std::istringstream line(text);
            if ((line >> std::ws).eof())
                continue;
            std::string problem = answer(line, divide);
            if (!problem.empty()) {
                std::cerr << "perft: line " << number << ": " << problem << '\n';
                status = 1;
            }
        }
    }
    return std::cout ? status : 1;
}

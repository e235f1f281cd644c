// An ordered map whose copies share what they have in common: copying costs a pointer, changing one entry of a copy
// costs the path to it. Images are made of these, so that a delta costs what it changes and not what there is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace klamm::metadata {

// `KeyOf` takes the key out of an entry: values that carry their own key need no second one. An AVL tree.
template <typename Entry, typename KeyOf>
class PersistentSet {
 public:
  class Iterator;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Begins a series of changes by one owner: nodes made in it are changed in place, so that building a map of n entries
  // does not copy n paths. `edition` is larger than that of every map this one descends from, and no copy is taken
  // before the next call.
  void begin_edition(std::uint64_t edition) { edition_ = edition; }

  template <typename Key>
  const Entry* find(const Key& key) const {
    const Node* at = root_.get();
    while (at) {
      const auto& here = KeyOf{}(at->entry);
      if (key < here) {
        at = at->left.get();
      } else if (here < key) {
        at = at->right.get();
      } else {
        return &at->entry;
      }
    }
    return nullptr;
  }
  template <typename Key>
  bool contains(const Key& key) const {
    return find(key) != nullptr;
  }

  // Adds the entry, or puts it in the place of the one with the same key.
  void put(Entry entry) { root_ = put(std::move(root_), std::move(entry)); }

  // False when there is none.
  template <typename Key>
  bool erase(const Key& key) {
    if (!find(key)) return false;
    root_ = erase(std::move(root_), key);
    --size_;
    return true;
  }

  Iterator begin() const { return Iterator(root_.get(), nullptr); }
  Iterator end() const { return {}; }
  // From the first entry whose key is not less than `key`.
  template <typename Key>
  Iterator lower_bound(const Key& key) const {
    return Iterator(root_.get(), &key);
  }

  // The same map, not merely an equal one: nothing was changed between the two.
  bool same_as(const PersistentSet& other) const { return root_ == other.root_; }
  bool operator==(const PersistentSet& other) const {
    return same_as(other) || (size_ == other.size_ && std::equal(begin(), end(), other.begin()));
  }

 private:
  struct Node;
  // A share of a node; the node counts them itself, since a map has as many as it has entries.
  class Link {
   public:
    Link() = default;
    explicit Link(Node* node) : node_(node) {}  // the first share of it
    Link(const Link& other) noexcept : node_(other.node_) {
      if (node_) node_->shares.fetch_add(1, std::memory_order_relaxed);
    }
    Link(Link&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Link& operator=(Link other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~Link() {
      if (node_ && node_->shares.fetch_sub(1, std::memory_order_acq_rel) == 1) delete node_;
    }

    Node* get() const { return node_; }
    Node& operator*() const { return *node_; }
    Node* operator->() const { return node_; }
    explicit operator bool() const { return node_ != nullptr; }
    bool operator==(const Link&) const = default;

   private:
    Node* node_ = nullptr;
  };
  struct Node {
    Node(Entry e, std::uint64_t made_in) : entry(std::move(e)), edition(made_in) {}
    Node(const Node& other, std::uint64_t made_in)
        : entry(other.entry), left(other.left), right(other.right), edition(made_in), height(other.height) {}
    std::atomic<std::uint32_t> shares{1};
    Entry entry;
    Link left;
    Link right;
    std::uint64_t edition : 56;
    std::uint64_t height : 8 = 1;
  };

  static int height(const Link& node) { return node ? static_cast<int>(node->height) : 0; }
  static void measure(Node& node) {
    node.height = static_cast<std::uint8_t>(1 + std::max(height(node.left), height(node.right)));
  }

  // The node, ours alone.
  Link own(Link node) const {
    if (edition_ != 0 && node->edition == edition_) return node;
    return Link(new Node(*node, edition_));
  }

  Link rotate_right(Link node) const {
    Link top = own(std::move(node->left));
    node->left = std::move(top->right);
    measure(*node);
    top->right = std::move(node);
    measure(*top);
    return top;
  }
  Link rotate_left(Link node) const {
    Link top = own(std::move(node->right));
    node->right = std::move(top->left);
    measure(*node);
    top->left = std::move(node);
    measure(*top);
    return top;
  }
  Link balance(Link node) const {
    measure(*node);
    const int slope = height(node->left) - height(node->right);
    if (slope > 1) {
      if (height(node->left->left) < height(node->left->right)) node->left = rotate_left(own(std::move(node->left)));
      return rotate_right(std::move(node));
    }
    if (slope < -1) {
      if (height(node->right->right) < height(node->right->left)) {
        node->right = rotate_right(own(std::move(node->right)));
      }
      return rotate_left(std::move(node));
    }
    return node;
  }

  Link put(Link node, Entry entry) {
    if (!node) {
      ++size_;
      return Link(new Node(std::move(entry), edition_));
    }
    node = own(std::move(node));
    const auto& key = KeyOf{}(entry);
    const auto& here = KeyOf{}(node->entry);
    if (key < here) {
      node->left = put(std::move(node->left), std::move(entry));
    } else if (here < key) {
      node->right = put(std::move(node->right), std::move(entry));
    } else {
      node->entry = std::move(entry);
      return node;
    }
    return balance(std::move(node));
  }

  // Takes the first node out of the tree.
  std::pair<Link, Link> take_first(Link node) const {
    node = own(std::move(node));
    if (!node->left) {
      Link rest = std::move(node->right);
      return {std::move(node), std::move(rest)};
    }
    auto [first, rest] = take_first(std::move(node->left));
    node->left = std::move(rest);
    return {std::move(first), balance(std::move(node))};
  }

  template <typename Key>
  Link erase(Link node, const Key& key) const {
    node = own(std::move(node));
    const auto& here = KeyOf{}(node->entry);
    if (key < here) {
      node->left = erase(std::move(node->left), key);
    } else if (here < key) {
      node->right = erase(std::move(node->right), key);
    } else {
      if (!node->left) return std::move(node->right);
      if (!node->right) return std::move(node->left);
      auto [next, rest] = take_first(std::move(node->right));
      next->left = std::move(node->left);
      next->right = std::move(rest);
      return balance(std::move(next));
    }
    return balance(std::move(node));
  }

  Link root_;
  std::size_t size_ = 0;
  std::uint64_t edition_ = 0;

 public:
  // In the order of the keys. Valid as long as some copy of the map lives.
  class Iterator {
   public:
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    const Entry& operator*() const { return path_.back()->entry; }
    const Entry* operator->() const { return &path_.back()->entry; }
    Iterator& operator++() {
      const Node* at = path_.back()->right.get();
      path_.pop_back();
      descend(at);
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const {
      return path_.empty() == other.path_.empty() && (path_.empty() || path_.back() == other.path_.back());
    }

   private:
    friend class PersistentSet;
    Iterator(const Node* root, std::nullptr_t) { descend(root); }
    template <typename Key>
    Iterator(const Node* root, const Key* from) {
      while (root) {
        if (KeyOf{}(root->entry) < *from) {
          root = root->right.get();
        } else {
          path_.push_back(root);
          root = root->left.get();
        }
      }
    }
    void descend(const Node* at) {
      for (; at; at = at->left.get()) path_.push_back(at);
    }

    std::vector<const Node*> path_;  // the nodes still to be visited, each with its right side
  };
};

struct FirstOfPair {
  template <typename Pair>
  const auto& operator()(const Pair& pair) const {
    return pair.first;
  }
};

template <typename Key, typename Value>
using PersistentMap = PersistentSet<std::pair<Key, Value>, FirstOfPair>;

}  // namespace klamm::metadata
